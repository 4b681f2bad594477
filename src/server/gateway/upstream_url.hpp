#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace liminal::gateway {

/// An upstream's URL, taken apart.
struct UpstreamUrl {
  std::string target;     ///< what is resolved: "HOST:PORT" or "unix:PATH"
  std::string host;       ///< that its certificate must be for; empty for a Unix socket
  bool ciphered = false;  ///< wss://
};

/// Whether a text can be the host of "HOST:PORT": a name, an IPv4 address, or an IPv6 address in
/// brackets. Whether there is such a name is not asked.
[[nodiscard]] bool is_host(std::string_view text);

/// Reads "ws://HOST[:PORT]", "wss://HOST[:PORT]", with a / behind it or not, or "unix:PATH"; asks
/// no name server. What is wrong is told in words that follow the URL: "has a path: …".
[[nodiscard]] tl::expected<UpstreamUrl, std::string_view> parse_upstream(std::string_view url);

}  // namespace liminal::gateway
