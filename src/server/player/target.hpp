#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "io/epoll/address.hpp"
#include "io/epoll/stream.hpp"

namespace liminal::player {

/// Puts a new socket under a cipher towards a host, which must prove that it is it. Null when the
/// system refuses.
using CipherMaker =
    std::function<std::unique_ptr<epoll::Cipher>(const epoll::Socket&, const std::string& host)>;

/// Where a WebSocket client connects to.
struct Target {
  epoll::Address address;
  std::string host;        ///< for the `Host` field
  std::string path = "/";  ///< with its query
  std::string name;        ///< the host alone, which its certificate must be for
  bool ciphered = false;   ///< wss://: `cipher` must be set, by whoever knows one
  CipherMaker cipher;

  /// Reads and resolves "ws://HOST:PORT/PATH?QUERY" (port 80 when there is none), "wss://…" (443)
  /// or "unix:/PATH". Blocks while the system asks name servers. Fails with `kUnsupported` for
  /// another scheme, `kMalformed`, or `kUnavailable` for a name that nobody knows.
  [[nodiscard]] static Result<Target> parse(std::string_view url);
};

}  // namespace liminal::player
