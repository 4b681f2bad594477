#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/wire/utf8.hpp"

namespace liminal::api {

/// What Liminal tells of itself: the source of its own totals and the service of its own load.
inline constexpr std::string_view kOwnName = "liminal";
/// And of each upstream, by its URL.
inline constexpr std::string_view kOwnUpstream = "upstream:";

/// Names of sources and services that nobody else may tell of.
[[nodiscard]] constexpr bool is_own_name(std::string_view name) {
  return name == kOwnName || name.starts_with(kOwnUpstream);
}

/// Whether a service may be called so: UTF-8 without control characters, so that paths, logs and
/// lists show the same.
[[nodiscard]] inline bool is_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return wire::is_utf8(name) && std::none_of(name.begin(), name.end(), is_control);
}
inline constexpr std::string_view kNameRule = "must be UTF-8 without control characters";

[[nodiscard]] inline std::string own_name_of_upstream(std::string_view url) {
  return std::string(kOwnUpstream) + std::string(url);
}

}  // namespace liminal::api
