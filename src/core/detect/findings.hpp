#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "core/traffic/finding.hpp"

namespace liminal::detect {

/// What enforce does to the messages that a finding is about.
struct Ruling {
  traffic::FindingType type{};
  traffic::Mode mode{};
  traffic::Action action{};
};

/// The findings of one step. Never allocates; keeps the first `kFindingsMax`, which is more than
/// all statistics together can raise at one message, and drops what comes after.
class Findings {
 public:
  static constexpr std::size_t kFindingsMax = 24;
  static constexpr std::size_t kStandingMax = 16;

  /// Adds an empty finding to be filled in; null when there is no more room.
  traffic::Finding* add() {
    if (size_ == kFindingsMax) return nullptr;
    items_[size_] = {};
    return &items_[size_++];
  }
  /// A rule that has spoken is still crossed: no news, but its action goes on.
  void add_standing(const Ruling& ruling) {
    if (standing_count_ < kStandingMax) standing_[standing_count_++] = ruling;
  }
  void clear() { size_ = standing_count_ = 0; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const traffic::Finding& operator[](std::size_t i) const { return items_[i]; }
  [[nodiscard]] const traffic::Finding* begin() const { return items_.data(); }
  [[nodiscard]] const traffic::Finding* end() const { return items_.data() + size_; }
  [[nodiscard]] std::span<const Ruling> standing() const {
    return {standing_.data(), standing_count_};
  }

 private:
  std::size_t size_ = 0, standing_count_ = 0;
  std::array<Ruling, kStandingMax> standing_{};
  std::array<traffic::Finding, kFindingsMax> items_;
};

}  // namespace liminal::detect
