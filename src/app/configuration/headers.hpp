#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace liminal::app {

/// The first line (from 1) of a TOML text whose table header names no table, as `[*]`. toml++ 3.3
/// takes it for granted that a header's bracket is followed by a name.
[[nodiscard]] std::optional<std::size_t> nameless_header(std::string_view text);

}  // namespace liminal::app
