#include "server/gateway/upstream_url.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "io/epoll/address.hpp"

namespace liminal::gateway {
namespace {

using Wrong = tl::unexpected<std::string_view>;

constexpr std::string_view kUnix = "unix:";

/// What follows `prefix`, when `text` begins with it.
bool strip(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, port);
  return error == std::errc{} && end == last && port != 0;
}

tl::expected<UpstreamUrl, std::string_view> parse_unix(std::string_view url) {
  const auto address = epoll::Address::parse(url);
  if (address) return UpstreamUrl{std::string(url), "", false};
  return Wrong(address.error().code == ErrorCode::kTooLarge
                   ? "has a path that is too long for a Unix socket"
                   : "names no path of a Unix socket");
}

}  // namespace

bool is_host(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789.";
  constexpr std::string_view kNeverInNames = " /?#@:[]%\\\"<>^`{|}";
  if (text.empty()) return false;
  if (text.front() == '[' || text.find_first_not_of(kDigits) == std::string_view::npos)
    return epoll::Address::parse(std::string(text) + ":1").has_value();
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return c > ' ' && c < 0x7F && kNeverInNames.find(c) == std::string_view::npos;
  });
}

tl::expected<UpstreamUrl, std::string_view> parse_upstream(std::string_view url) {
  if (url.starts_with(kUnix)) return parse_unix(url);
  std::string_view authority = url;
  const bool ciphered = strip(authority, "wss://");
  if (!ciphered && !strip(authority, "ws://")) return Wrong("is not ws://, wss:// or unix:");
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#") != std::string_view::npos)
    return Wrong("has a path: leave it out, since clients ask for theirs");
  if (authority.find('@') != std::string_view::npos)
    return Wrong("has a user name, which no upstream is told: leave it out");
  const std::size_t bracket = authority.rfind(']');
  const std::size_t from = bracket == std::string_view::npos ? 0 : bracket;
  const std::size_t colon = authority.find(':', from);
  const std::string_view host = authority.substr(0, colon);
  // A bare host has its scheme's port.
  const std::string_view port = colon != std::string_view::npos ? authority.substr(colon + 1)
                                : ciphered                      ? "443"
                                                                : "80";
  if (port.find(':') != std::string_view::npos)
    return Wrong("has an IPv6 address without the brackets around it");
  if (host.empty()) return Wrong("names no host");
  if (!is_port(port)) return Wrong("has a port that is not 1 to 65535");
  if (!is_host(host)) return Wrong("has a host that is neither a name nor an address");
  UpstreamUrl out{std::string(host) + ":" + std::string(port), std::string(host), ciphered};
  if (bracket != std::string_view::npos) out.host = host.substr(1, host.size() - 2);
  return out;
}

}  // namespace liminal::gateway
