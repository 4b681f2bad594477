#include "core/wire/utf8.hpp"

#include <cstring>

namespace liminal::wire {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

/// The first byte from `at` on that is not ASCII, perhaps a few early: they are looked at one by
/// one.
const char* skip_ascii(const char* at, const char* end) {
  while (end - at >= 16) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::memcpy(&first, at, 8);
    std::memcpy(&second, at + 8, 8);
    if (((first | second) & kHighBits) != 0) break;
    at += 16;
  }
  return at;
}

struct Lead {
  std::uint8_t missing;  ///< continuation bytes; 0 when no character starts so
  std::uint8_t low;
  std::uint8_t high;
};

/// What must follow a first byte ≥ 0x80 (RFC 3629, section 4, the syntax of UTF-8).
constexpr Lead lead(std::uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

bool Utf8Validator::feed(std::string_view bytes) {
  if (!valid_) return false;
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const auto byte = static_cast<std::uint8_t>(*at);
    if (missing_ == 0) {
      if (byte < 0x80) {
        at = skip_ascii(at + 1, end);
        continue;
      }
      const Lead next = lead(byte);
      if (next.missing == 0) return valid_ = false;
      missing_ = next.missing;
      low_ = next.low;
      high_ = next.high;
    } else {
      if (byte < low_ || byte > high_) return valid_ = false;
      --missing_;
      low_ = 0x80;
      high_ = 0xBF;
    }
    ++at;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  Utf8Validator validator;
  return validator.feed(text) && validator.complete();
}

}  // namespace liminal::wire
