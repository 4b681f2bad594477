#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// At which hours of the day somebody is usually there: for each hour a decayed count of days.
///
/// A visit adds 1 to its hour; every day takes a sixteenth away, so that what is usual is learnt
/// and forgotten over two weeks, and a single visit after sixteen days.
///
/// Guarantee: a count is at most 1 below Σ (15/16)^age over the visits of its hour, and never
/// above.
///
/// Memory: 24 bytes. The time is kept outside. Cost: O(1); `pass_days` O(24) a day.
class HourProfile {
 public:
  static constexpr unsigned kHours = 24;

  /// Counts a visit at `hour` < 24; to be told at most once for one hour of one day, and, so that
  /// an hour is not usual because of itself, when it is over.
  void add(unsigned hour);

  void pass_days(std::uint64_t days);

  /// How unusual `hour` is: 0 when it is, or its neighbours are, visited on at least half (a
  /// neighbour: all) as many days as the most usual hour; 1 when never. 0 while the most usual hour
  /// has less than `kDaysKnown`: then nothing is known yet.
  [[nodiscard]] double unusual(unsigned hour) const;

  /// The decayed count of days with a visit at this hour, 0–16.
  [[nodiscard]] double days(unsigned hour) const { return counts_[hour] / double{kVisit}; }

  /// A user who came on three days at the same hour has a habit.
  static constexpr double kDaysKnown = 2.5;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  static constexpr std::uint8_t kVisit = 16;
  std::array<std::uint8_t, kHours> counts_{};  ///< in sixteenths
};

}  // namespace liminal::stats
