#pragma once

#include <cstdint>
#include <string_view>

namespace liminal::wire {

/// Checks UTF-8 as it arrives, cut anywhere (RFC 3629: no surrogates, nothing above U+10FFFF, the
/// shortest form only). Refuses at the first byte that no continuation could make valid.
///
/// Memory: 4 bytes. Cost: 16 bytes a step over ASCII, else by the byte; `utf8_bench.cpp`.
class Utf8Validator {
 public:
  /// Takes the next bytes. False from the first invalid byte on, whatever follows.
  [[nodiscard]] bool feed(std::string_view bytes);

  /// Whether the text may end here: everything was valid and no character is cut short.
  [[nodiscard]] bool complete() const { return valid_ && missing_ == 0; }

 private:
  std::uint8_t missing_ = 0;  ///< continuation bytes that the current character still needs
  std::uint8_t low_ = 0x80;   ///< the next of them must be in [low_, high_]
  std::uint8_t high_ = 0xBF;
  bool valid_ = true;
};

[[nodiscard]] bool is_utf8(std::string_view text);

/// The longest prefix of at most `bytes_max` bytes that does not cut a UTF-8 character.
[[nodiscard]] constexpr std::string_view cut_at_character(std::string_view text,
                                                          std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

}  // namespace liminal::wire
