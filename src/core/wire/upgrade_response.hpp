#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/wire/head.hpp"

namespace liminal::wire {

/// The answer to an upgrade request. Points into the head that it was read from.
struct UpgradeResponse {
  unsigned status = 0;  ///< 101, or why not
  Fields fields;
  std::size_t head_bytes = 0;  ///< what follows are the server's first frames, or a body
  [[nodiscard]] bool switched() const { return status == 101; }
};

/// What a 101 must answer to.
struct UpgradeOffer {
  std::string_view key;
  std::string_view subprotocols;  ///< comma-separated, as offered; empty: none
  bool extensions = false;        ///< whether any was offered
};

/// Reads a server's answer as its bytes arrive. A 101 is given only when it is one: the accept key
/// matches, the connection switches to `websocket`, nothing was chosen that was not offered
/// (RFC 6455, section 4.1). Any other status is given as it is, its body left to the caller.
class UpgradeResponseReader {
 public:
  [[nodiscard]] UpgradeResult<std::optional<UpgradeResponse>> read(std::string_view buffered,
                                                                   const UpgradeOffer& offer,
                                                                   const HeadLimits& limits);

 private:
  HeadScanner scanner_;
};

/// Appends the 101 that passes an upstream's on to the client, without hop-by-hop fields.
void append_response(std::string& out, const UpgradeResponse& response);

/// Appends a server's own 101. `subprotocol`: the chosen one, or empty.
void append_switching(std::string& out, std::string_view key, std::string_view subprotocol = {});

/// Appends an answer that ends the connection, `detail` in an `application/problem+json` body
/// (RFC 9457). 426 says which version is spoken, 405 which method, on its own.
void append_refusal(std::string& out,
                    unsigned status,
                    std::string_view detail,
                    std::span<const Field> fields = {});

/// Appends the refusal of another server as it is passed on: its status and, of its fields, what a
/// client acts on (`Location`, `Retry-After`, `WWW-Authenticate`), with `body` and what says how to
/// read it (`Content-Type`, `Content-Encoding`). Without a body its place is taken by our own.
void append_passed_refusal(std::string& out,
                           const UpgradeResponse& refusal,
                           std::optional<std::string_view> body);

inline void append_refusal(std::string& out, UpgradeFault fault) {
  append_refusal(out, status(fault), name(fault));
}

}  // namespace liminal::wire
