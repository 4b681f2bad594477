#pragma once

#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "io/epoll/address.hpp"

namespace liminal::player {

/// Where a WebSocket client connects to.
struct Target {
  epoll::Address address;
  std::string host;        ///< for the `Host` field
  std::string path = "/";  ///< with its query

  /// Reads and resolves "ws://HOST:PORT/PATH?QUERY" (port 80 when there is none) or "unix:/PATH".
  /// Blocks while the system asks name servers. Fails with `kUnsupported` for another scheme,
  /// `kMalformed`, or `kUnavailable` for a name that nobody knows.
  [[nodiscard]] static Result<Target> parse(std::string_view url);
};

}  // namespace liminal::player
