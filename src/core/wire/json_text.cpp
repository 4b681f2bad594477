#include "core/wire/json_text.hpp"

#include <cstdint>
#include <cstring>
#include <optional>

#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

std::optional<std::uint32_t> hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : digits.substr(0, 4)) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<std::uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    else
      return std::nullopt;
    value = value << 4U | digit;
  }
  return value;
}

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

/// The character of `\uXXXX` (and of the pair that it may begin), taken off `raw`, which stands
/// after the `u`.
std::uint32_t take_unicode(std::string_view& raw) {
  const std::optional<std::uint32_t> unit = hex4(raw);
  if (!unit) return kReplacement;
  raw.remove_prefix(4);
  if (is_low_surrogate(*unit)) return kReplacement;
  if (!is_high_surrogate(*unit)) return *unit;
  if (raw.substr(0, 2) != "\\u") return kReplacement;
  const std::optional<std::uint32_t> second = hex4(raw.substr(2));
  if (!second || !is_low_surrogate(*second)) return kReplacement;
  raw.remove_prefix(6);
  return 0x10000 + ((*unit - 0xD800) << 10U) + (*second - 0xDC00);
}

/// The character that an escape stands for, taken off `raw`, which begins after the backslash.
std::uint32_t take_escape(std::string_view& raw) {
  if (raw.empty()) return kReplacement;
  const char c = raw.front();
  raw.remove_prefix(1);
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return static_cast<unsigned char>(c);
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'u':
      return take_unicode(raw);
    default:
      return kReplacement;
  }
}

struct Encoded {
  char bytes[4];
  std::size_t size;
};

Encoded encode_utf8(std::uint32_t c) {
  const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3FU)); };
  if (c < 0x80) return {{static_cast<char>(c)}, 1};
  if (c < 0x800) return {{static_cast<char>(0xC0U | c >> 6U), tail(c)}, 2};
  if (c < 0x10000) return {{static_cast<char>(0xE0U | c >> 12U), tail(c >> 6U), tail(c)}, 3};
  return {{static_cast<char>(0xF0U | c >> 18U), tail(c >> 12U), tail(c >> 6U), tail(c)}, 4};
}

}  // namespace

std::size_t decode_json_text(std::string_view raw, char* out, std::size_t bytes_max) {
  std::size_t size = 0;
  while (!raw.empty()) {
    const std::string_view plain = raw.substr(0, raw.find('\\'));
    const std::string_view fits = cut_at_character(plain, bytes_max - size);
    std::memcpy(out + size, fits.data(), fits.size());
    size += fits.size();
    raw.remove_prefix(plain.size());
    if (raw.empty() || fits.size() != plain.size()) break;
    raw.remove_prefix(1);
    const Encoded character = encode_utf8(take_escape(raw));
    if (character.size > bytes_max - size) break;
    std::memcpy(out + size, character.bytes, character.size);
    size += character.size;
  }
  return size;
}

}  // namespace liminal::wire
