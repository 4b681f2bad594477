#pragma once

#include <charconv>
#include <cmath>
#include <string>

namespace liminal::learn {

/// A number for a sentence, with fixed decimals.
[[nodiscard]] inline std::string in_words(double value, int decimals) {
  if (!std::isfinite(value)) return value > 0 ? "infinite" : "undefined";
  char text[64];
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return error == std::errc{} ? std::string(text, end) : "very large";
}

}  // namespace liminal::learn
