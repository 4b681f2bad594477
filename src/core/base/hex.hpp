#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace liminal {

/// 16 hexadecimal digits, small letters, the highest first.
[[nodiscard]] inline std::string hex(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = kDigits[(number >> (4 * i)) & 15];
  return text;
}

}  // namespace liminal
