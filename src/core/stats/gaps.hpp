#pragma once

#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// Mean and deviation of the gaps between recent events, newer ones weighing more: each gap weighs
/// 31/32 of the next, from the start of the statistics on all alike until there are 32.
///
/// Memory: 12 bytes. Cost: `add` O(1).
///
/// Source: West, "Updating mean and variance estimates", CACM 1979 (weighted); burstiness: Goh and
/// Barabási, "Burstiness and memory in complex systems", EPL 2008, equation 1.
class GapStatistics {
 public:
  static constexpr std::uint8_t kMemory = 32;
  /// Fewer gaps say nothing about their regularity.
  static constexpr std::uint8_t kGapsKnown = 4;

  /// `gap_s` ≥ 0, finite, in seconds.
  void add(double gap_s);

  /// (s − m)/(s + m) with mean m and deviation s: −1 like a clock, 0 random, towards 1 in bursts. 0
  /// while less than `kGapsKnown` gaps are known, and when all of them are zero.
  [[nodiscard]] double burstiness() const;

  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double variance() const { return variance_; }
  [[nodiscard]] std::uint8_t count() const { return count_; }  ///< at most `kMemory`

  void clear() { *this = {}; }
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  float mean_ = 0;
  float variance_ = 0;
  std::uint8_t count_ = 0;
};

}  // namespace liminal::stats
