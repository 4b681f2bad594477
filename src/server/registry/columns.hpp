#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/learn/registered.hpp"
#include "io/sqlite/database.hpp"

/// How the registry's columns hold what is no single number or text.
namespace liminal::registry {

[[nodiscard]] std::string list_json(const std::vector<std::string>& texts);
[[nodiscard]] std::string figures_json(const learn::NamedFigures& figures);
[[nodiscard]] std::string board_json(const std::vector<learn::JobLine>& lines);

/// Read back; what is no such JSON is empty.
[[nodiscard]] std::vector<std::string> list_of(std::string_view text);
[[nodiscard]] learn::NamedFigures figures_of(std::string_view text);
[[nodiscard]] std::vector<learn::JobLine> board_of(std::string_view text);

/// A column that may be null.
template <class T>
[[nodiscard]] std::optional<T> maybe(const sqlite::Row& row, int column) {
  if (row.null(column)) return std::nullopt;
  if constexpr (std::is_same_v<T, SteadyTime>) {
    return row.time(column);
  } else if constexpr (std::is_same_v<T, double>) {
    return row.real(column);
  } else {
    return static_cast<T>(row.integer(column));
  }
}

/// For `map`: of a change nothing is told but that it was made.
inline void nothing(std::int64_t /*rows*/) {}

}  // namespace liminal::registry
