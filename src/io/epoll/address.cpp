#include "io/epoll/address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>

namespace liminal::epoll {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

struct HostPort {
  std::string host;  ///< empty: every address of the machine
  std::uint16_t port = 0;
};

Result<HostPort> split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return failure(ErrorCode::kMalformed, text.size());
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  HostPort result;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (error != std::errc{} || end != digits.data() + digits.size())
    return failure(ErrorCode::kMalformed, colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return failure(ErrorCode::kMalformed, 0);
  }
  result.host = host;
  return result;
}

std::optional<Address> numeric(const std::string& host, std::uint16_t port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  if (host.empty() || inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1)
    return Address(reinterpret_cast<const sockaddr*>(&four), sizeof four);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1)
    return Address(reinterpret_cast<const sockaddr*>(&six), sizeof six);
  return std::nullopt;
}

using Bytes16 = std::array<unsigned char, 16>;

/// An IPv4 address takes its place inside IPv6, so that one comparison serves both.
std::optional<Bytes16> as_six(const Address& address) {
  Bytes16 bytes{};
  if (address.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(&bytes[12], &reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr, 4);
    return bytes;
  }
  if (address.family() == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr, 16);
    return bytes;
  }
  return std::nullopt;
}

}  // namespace

Address::Address(const sockaddr* raw, socklen_t size) : size_(size) {
  std::memcpy(&any_, raw, std::min<std::size_t>(size, sizeof any_));
}

Result<Address> Address::parse(std::string_view text) {
  if (text.substr(0, kUnixPrefix.size()) == kUnixPrefix) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    sockaddr_un name{};
    if (path.empty()) return failure(ErrorCode::kMalformed, kUnixPrefix.size());
    if (path.size() >= sizeof name.sun_path) return failure(ErrorCode::kTooLarge, text.size());
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    return Address(reinterpret_cast<const sockaddr*>(&name),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
  }
  const Result<HostPort> parts = split(text);
  if (!parts) return tl::unexpected<Error>(parts.error());
  const std::optional<Address> address = numeric(parts->host, parts->port);
  if (!address) return failure(ErrorCode::kMalformed, 0);
  return *address;
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&any_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&any_)->sin6_port);
  return 0;
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&any_)->sin_addr, text, sizeof text);
  } else if (family() == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(&any_)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
      inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &six, text, sizeof text);
    }
  } else if (family() == AF_UNIX) {
    const auto* name = reinterpret_cast<const sockaddr_un*>(&any_);
    const std::size_t room = size_ - offsetof(sockaddr_un, sun_path);
    return std::string(kUnixPrefix) + std::string(name->sun_path, strnlen(name->sun_path, room));
  }
  return text;
}

std::string Address::text() const {
  if (is_unix()) return host();
  const std::string name = host();
  const bool six = name.find(':') != std::string::npos;
  return (six ? "[" + name + "]" : name) + ":" + std::to_string(port());
}

Result<std::vector<Address>> resolve(std::string_view host_and_port) {
  if (const Result<Address> address = Address::parse(host_and_port))
    return std::vector<Address>{*address};
  const Result<HostPort> parts = split(host_and_port);
  if (!parts) return tl::unexpected<Error>(parts.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(parts->port);
  if (getaddrinfo(parts->host.c_str(), port.c_str(), &hints, &found) != 0)
    return failure(ErrorCode::kUnavailable);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next)
    addresses.emplace_back(each->ai_addr, each->ai_addrlen);
  return addresses;
}

Result<Network> Network::parse(std::string_view text) {
  Network network;
  if (text == kUnixPrefix) {
    network.unix_ = true;
    return network;
  }
  const std::size_t slash = text.find('/');
  const std::optional<Address> address = numeric(std::string(text.substr(0, slash)), 0);
  if (text.empty() || slash == 0 || !address) return failure(ErrorCode::kMalformed, 0);
  const unsigned offset = address->family() == AF_INET ? 96 : 0;
  network.bits_ = 128;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits > 128 - offset)
      return failure(ErrorCode::kMalformed, slash + 1);
    network.bits_ = offset + bits;
  }
  const Bytes16 bytes = as_six(*address).value();
  std::copy(bytes.begin(), bytes.end(), network.bytes_);
  return network;
}

bool Network::contains(const Address& address) const {
  if (unix_) return address.is_unix();
  const std::optional<Bytes16> bytes = as_six(address);
  if (!bytes) return false;
  const unsigned whole = bits_ / 8, rest = bits_ % 8;
  if (std::memcmp(bytes->data(), bytes_, whole) != 0) return false;
  return rest == 0 || ((*bytes)[whole] ^ bytes_[whole]) >> (8 - rest) == 0;
}

bool Network::contains(std::string_view host) const {
  if (host.empty()) return false;
  const std::optional<Address> address = numeric(std::string(host), 0);
  return address && contains(*address);
}

}  // namespace liminal::epoll
