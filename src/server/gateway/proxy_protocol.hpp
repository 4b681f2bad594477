#pragma once

#include <optional>
#include <string_view>

#include "core/base/result.hpp"
#include "io/epoll/address.hpp"

namespace liminal::gateway {

/// What a proxy says about a connection before its first byte.
struct ProxyHeader {
  std::size_t bytes = 0;  ///< of the header; the connection's own bytes follow
  /// The client's address; none when the proxy speaks for itself (a health check).
  std::optional<epoll::Address> source;
};

/// Reads a PROXY protocol header, version 2, from what has arrived. Nothing while it is incomplete;
/// fails with `kMalformed`, or `kTooLarge` above 536 bytes (addresses and some extensions).
///
/// **Source:** HAProxy Technologies, "The PROXY protocol, versions 1 & 2", section 2.2.
[[nodiscard]] Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view buffered);

/// How many bytes after a beginning of a header certainly belong to it: at least 1 of an unfinished
/// one that `parse_proxy_header` does not refuse.
[[nodiscard]] std::size_t missing_of_proxy_header(std::string_view buffered);

}  // namespace liminal::gateway
