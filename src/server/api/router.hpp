#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liminal::api {

/// Splits an undecoded path at its slashes and decodes the segments; nothing for a bad escape.
[[nodiscard]] std::optional<std::vector<std::string>> split_path(std::string_view path);

/// Whether a path is what a pattern means ("/ml/users/{user_id}"). What stands for a name in braces
/// goes to `captured`, which is otherwise left alone; an empty segment stands for nothing.
[[nodiscard]] bool matches(std::string_view pattern,
                           std::span<const std::string> segments,
                           std::vector<std::string>& captured);

}  // namespace liminal::api
