#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::detect {

/// Watches how regularly a user sends: the spread of the logarithm of the last 16 gaps between
/// messages. A person's is near 1.2 nat, a program's on a timer below .2.
/// Memory: 65 bytes, resolution .0005 nat. Cost: a memmove of some bytes a message.
class Gaps {
 public:
  static constexpr std::size_t kGapsMax = 16;
  static constexpr std::size_t kGapsMin = 12;  ///< below this it has nothing to say

  /// Notes a gap between two messages, by the natural logarithm of its seconds.
  void add(double log_gap);

  [[nodiscard]] std::size_t size() const { return size_; }

  /// The spread in nat, from the middle 10 of 16 gaps: a robust stand-in for the deviation. At
  /// least `kSpreadMin`. Only with `kGapsMin` gaps.
  [[nodiscard]] double spread() const;
  static constexpr double kSpreadMin = .03;

  /// Whether a gap is as long as the median one, to within `kSteady` nat. Only with `kGapsMin`
  /// gaps.
  [[nodiscard]] bool steady(double log_gap) const;
  static constexpr double kSteady = .2;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  using Step = std::int16_t;  // of 1/2048 nat

  std::array<Step, kGapsMax> recent_{};  // a ring
  std::array<Step, kGapsMax> sorted_{};  // the same, smallest first
  std::uint8_t next_ = 0, size_ = 0;
};

}  // namespace liminal::detect
