#include "server/gateway/proxy_protocol.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace liminal::gateway {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;
constexpr std::size_t kBytesMax = 536;

constexpr unsigned kVersion2 = 2, kLocal = 0, kProxied = 1;
constexpr unsigned kTcpOver4 = 0x11, kTcpOver6 = 0x21;

unsigned byte(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

/// Of what follows the fixed part, which must be there.
std::size_t block_bytes(std::string_view buffered) {
  return byte(buffered, 14) << 8 | byte(buffered, 15);
}

/// The source address of the address block; none for families that a WebSocket does not come by.
Result<std::optional<epoll::Address>> source(unsigned family, std::string_view block) {
  if (family == kTcpOver4) {
    if (block.size() < 12) return failure(ErrorCode::kMalformed, kFixedBytes);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    std::memcpy(&name.sin_addr, block.data(), 4);
    std::memcpy(&name.sin_port, block.data() + 8, 2);
    return std::optional(epoll::Address(reinterpret_cast<const sockaddr*>(&name), sizeof name));
  }
  if (family == kTcpOver6) {
    if (block.size() < 36) return failure(ErrorCode::kMalformed, kFixedBytes);
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    std::memcpy(&name.sin6_addr, block.data(), 16);
    std::memcpy(&name.sin6_port, block.data() + 32, 2);
    return std::optional(epoll::Address(reinterpret_cast<const sockaddr*>(&name), sizeof name));
  }
  return std::optional<epoll::Address>{};
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view buffered) {
  const std::size_t known = std::min(buffered.size(), kSignature.size());
  if (buffered.substr(0, known) != kSignature.substr(0, known))
    return failure(ErrorCode::kMalformed, 0);
  if (buffered.size() < kFixedBytes) return std::optional<ProxyHeader>{};
  const unsigned command = byte(buffered, 12) & 0xfU;
  if (byte(buffered, 12) >> 4 != kVersion2 || command > kProxied)
    return failure(ErrorCode::kMalformed, 12);
  const std::size_t length = block_bytes(buffered);
  if (kFixedBytes + length > kBytesMax) return failure(ErrorCode::kTooLarge, 14);
  if (buffered.size() < kFixedBytes + length) return std::optional<ProxyHeader>{};
  ProxyHeader header{kFixedBytes + length, std::nullopt};
  if (command == kLocal) return std::optional(header);
  const auto address = source(byte(buffered, 13), buffered.substr(kFixedBytes, length));
  if (!address) return tl::unexpected<Error>(address.error());
  header.source = *address;
  return std::optional(header);
}

std::size_t missing_of_proxy_header(std::string_view buffered) {
  const std::size_t whole =
      buffered.size() < kFixedBytes ? kFixedBytes : kFixedBytes + block_bytes(buffered);
  return whole > buffered.size() ? whole - buffered.size() : 1;
}

}  // namespace liminal::gateway
