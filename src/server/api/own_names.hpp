#pragma once

#include <string>
#include <string_view>

namespace liminal::api {

/// What Liminal tells of itself: the source of its own totals and the service of its own load.
inline constexpr std::string_view kOwnName = "liminal";
/// And of each upstream, by its URL.
inline constexpr std::string_view kOwnUpstream = "upstream:";

/// Names of sources and services that nobody else may tell of.
[[nodiscard]] constexpr bool is_own_name(std::string_view name) {
  return name == kOwnName || name.starts_with(kOwnUpstream);
}

[[nodiscard]] inline std::string own_name_of_upstream(std::string_view url) {
  return std::string(kOwnUpstream) + std::string(url);
}

}  // namespace liminal::api
