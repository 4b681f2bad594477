#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::json {

/// A JSON value that owns what it holds: for the small bodies of requests, not for streams.
/// Members keep their order and may repeat; whoever reads an object says what that means
/// (`Fields`).
struct Value {
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;
  /// A whole number is `int64_t` if it fits, else `uint64_t`.
  std::
      variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object>
          held = nullptr;

  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&held);
  }
};

/// A member of an object, the first of its name; null when there is none, or no object.
[[nodiscard]] const Value* member(const Value& value, std::string_view name);

inline constexpr std::size_t kDepthMax = 64;

/// Reads one JSON document. kMalformed for what is none, kTooLarge for more than `kDepthMax`
/// levels.
[[nodiscard]] Result<Value> parse(std::string_view json);

}  // namespace liminal::json
