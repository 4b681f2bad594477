#include "server/player/target.hpp"

#include <algorithm>
#include <vector>

namespace liminal::player {
namespace {

constexpr std::string_view kPlain = "ws://", kCiphered = "wss://";
constexpr std::string_view kUnix = "unix:";

/// Whether an authority names its port: a colon that is not inside an IPv6 address.
bool has_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  return colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
}

/// "chat.example" of "chat.example:443", "::1" of "[::1]".
std::string name_of(std::string_view authority) {
  if (authority.front() == '[') return std::string(authority.substr(1, authority.find(']') - 1));
  return std::string(authority.substr(0, authority.find(':')));
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

Result<Target> Target::parse(std::string_view url) {
  Target target;
  if (url.substr(0, kUnix.size()) == kUnix) {
    const Result<epoll::Address> address = epoll::Address::parse(url);
    if (!address) return tl::unexpected(address.error());
    target.address = *address;
    target.host = "localhost";
    return target;
  }
  target.ciphered = url.substr(0, kCiphered.size()) == kCiphered;
  const std::string_view scheme = target.ciphered ? kCiphered : kPlain;
  if (url.substr(0, scheme.size()) != scheme) return failure(ErrorCode::kUnsupported);
  const std::string_view rest = url.substr(scheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  target.host = rest.substr(0, end);
  const std::string_view path = rest.substr(end, rest.find('#') - end);
  if (target.host.empty() || !is_visible(rest))
    return failure(ErrorCode::kMalformed, scheme.size());
  if (!path.empty())
    target.path = path.front() == '/' ? std::string(path) : "/" + std::string(path);
  target.name = name_of(target.host);
  if (target.name.empty()) return failure(ErrorCode::kMalformed, scheme.size());
  const std::string with_port = has_port(target.host) ? target.host
                                : target.ciphered     ? target.host + ":443"
                                                      : target.host + ":80";
  const Result<std::vector<epoll::Address>> found = epoll::resolve(with_port);
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return failure(ErrorCode::kUnavailable, scheme.size());
  target.address = found->front();
  return target;
}

}  // namespace liminal::player
