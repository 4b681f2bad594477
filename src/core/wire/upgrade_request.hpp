#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/wire/head.hpp"

namespace liminal::wire {

/// A request to become a WebSocket, checked (RFC 6455, sections 4.1 and 4.2.1). Points into the
/// head that it was read from.
struct UpgradeRequest {
  std::string_view target;  ///< origin form: begins with a slash
  std::string_view host;
  std::string_view key;
  Fields fields;  ///< all of them, those above too
};

/// Reads a client's upgrade request as its bytes arrive.
///
/// Guarantee: what is accepted is read alike by every HTTP/1.1 parser (no repeated or folded
/// fields, no bare line ends, no body, nothing after the head), and written anew for the upstream,
/// never passed through. However it is cut, the answer is the same; only `kEarlyBytes` needs the
/// caller's help: bytes that come after the whole head and before the answer.
///
/// The absolute form of a target is refused, with a `Host` of its own a source of disputes, and
/// no WebSocket client sends it. So is a `Connection` with any option but `Upgrade` and
/// `keep-alive`.
///
/// Memory: 24 bytes; the head's bytes are the caller's. Cost: each byte looked at once or twice;
/// `upgrade_bench.cpp`.
class UpgradeRequestReader {
 public:
  /// `buffered`: all that has arrived. None yet (`std::nullopt`), the request, or why not.
  [[nodiscard]] UpgradeResult<std::optional<UpgradeRequest>> read(std::string_view buffered,
                                                                  const HeadLimits& limits);

 private:
  HeadScanner scanner_;
};

/// The same for a whole head.
[[nodiscard]] UpgradeResult<UpgradeRequest> parse_upgrade_request(std::string_view head);

/// How a request is passed on to the upstream.
struct Forwarding {
  /// Fields of the client that are not passed on; `_` in their names counts as `-`.
  std::span<const std::string_view> dropped;
  /// Fields that are added at the end. Their values must have no control characters.
  std::span<const Field> added;
  std::string_view host;    ///< instead of the client's, when not empty
  std::string_view target;  ///< instead of the client's, when not empty
  /// Without an offer there is no compression to look through.
  bool strip_extensions = true;
};

/// Appends the request to the upstream: the client's fields in their order without the hop-by-hop
/// ones, then `Connection`, `Upgrade` and what is added.
void append_request(std::string& out, const UpgradeRequest& request, const Forwarding& forwarding);

/// Appends a client's own request.
void append_client_request(std::string& out,
                           std::string_view host,
                           std::string_view target,
                           std::string_view key,
                           std::span<const Field> fields);

/// A query parameter of a target, `token` of `/chat?token=…`, as it stands (percent-encoded).
[[nodiscard]] std::optional<std::string_view> query_parameter(std::string_view target,
                                                              std::string_view name);

/// The value of a cookie in a `Cookie` field's value, without quotes around it.
[[nodiscard]] std::optional<std::string_view> cookie(std::string_view value, std::string_view name);

}  // namespace liminal::wire
