#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/check.hpp"

namespace liminal::features {

/// A text of at most 255 bytes that does not change, in 24 bytes; on the heap when it is longer
/// than
/// 23. Beside what belongs to it, so that comparing it costs no further miss.
class ShortText {
 public:
  static constexpr std::size_t kInside = 23;

  explicit ShortText(std::string_view text) {
    LIMINAL_CHECK(text.size() <= 255);
    bytes_[kInside] = static_cast<char>(static_cast<unsigned char>(text.size()));
    char* target = bytes_.data();
    if (text.size() > kInside) {
      target = new char[text.size()];
      std::memcpy(bytes_.data(), &target, sizeof target);
    }
    if (!text.empty()) std::memcpy(target, text.data(), text.size());
  }
  ShortText(const ShortText&) = delete;
  ShortText& operator=(const ShortText&) = delete;
  ~ShortText() {
    if (heap_bytes() > 0) delete[] view().data();
  }

  [[nodiscard]] std::string_view view() const {
    const char* text = bytes_.data();
    if (heap_bytes() > 0) std::memcpy(&text, bytes_.data(), sizeof text);
    return {text, size()};
  }

  [[nodiscard]] std::size_t heap_bytes() const { return size() > kInside ? size() : 0; }

 private:
  [[nodiscard]] std::size_t size() const { return static_cast<unsigned char>(bytes_[kInside]); }

  std::array<char, kInside + 1> bytes_{};  ///< the text or a pointer to it; the last is the length
};

}  // namespace liminal::features
