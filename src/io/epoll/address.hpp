#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::epoll {

/// Where a socket listens or connects to: IPv4, IPv6 or a Unix socket's path. A value.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* raw, socklen_t size);

  /// Reads "127.0.0.1:80", "[::1]:80", ":80" (every address of the machine) or "unix:/path".
  /// Knows no names: `resolve` does. Fails with `kMalformed`, or `kTooLarge` for a long path.
  [[nodiscard]] static Result<Address> parse(std::string_view text);

  [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&any_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  [[nodiscard]] int family() const { return size_ == 0 ? AF_UNSPEC : any_.ss_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  /// 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const;

  /// Without the port: "10.1.2.3", "2001:db8::1" (an IPv4 address inside IPv6 as IPv4),
  /// "unix:/path" or "unix:".
  [[nodiscard]] std::string host() const;
  /// What `parse` reads.
  [[nodiscard]] std::string text() const;

 private:
  sockaddr_storage any_{};
  socklen_t size_ = 0;
};

/// Looks up a host's addresses ("localhost:80" and everything `parse` reads). Blocks while the
/// system asks name servers: for start-up and reload, never on a loop. Fails with `kMalformed`
/// or `kUnavailable`.
[[nodiscard]] Result<std::vector<Address>> resolve(std::string_view host_and_port);

/// A network such as "10.0.0.0/8", "::1" or "unix:" (every Unix socket), to say whom to trust.
class Network {
 public:
  [[nodiscard]] static Result<Network> parse(std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const;
  /// For an address that arrived as text.
  [[nodiscard]] bool contains(std::string_view host) const;

 private:
  unsigned char bytes_[16]{};
  unsigned bits_ = 0;  ///< of the 16 bytes; IPv4 lives in ::ffff:0:0/96
  bool unix_ = false;
};

}  // namespace liminal::epoll
