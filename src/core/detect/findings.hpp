#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "core/traffic/finding.hpp"

namespace liminal::detect {

/// The findings of one step. Never allocates; keeps the first `kFindingsMax`, which is more than
/// all statistics together can raise at one message, and drops what comes after.
class Findings {
 public:
  static constexpr std::size_t kFindingsMax = 24;

  /// Adds an empty finding to be filled in; null when there is no more room.
  traffic::Finding* add() {
    if (size_ == kFindingsMax) return nullptr;
    items_[size_] = {};
    return &items_[size_++];
  }
  void clear() { size_ = 0; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const traffic::Finding& operator[](std::size_t i) const { return items_[i]; }
  [[nodiscard]] const traffic::Finding* begin() const { return items_.data(); }
  [[nodiscard]] const traffic::Finding* end() const { return items_.data() + size_; }

 private:
  std::size_t size_ = 0;
  std::array<traffic::Finding, kFindingsMax> items_;
};

}  // namespace liminal::detect
