#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace liminal::learn {

/// Rows in order of time, parted into a few stretches of as many rows each (to one): what is said
/// of one minute and of the next is wrong together, and of two stretches hardly, so that these are
/// what a mean over time is of many or few of.
///
/// A few long ones and not many short ones, because how long errors last is not known: whatever is
/// shorter than a stretch is in its sums already, and that they are few is told by Student's t.
struct Stretches {
  static constexpr std::size_t kMin = 5;  ///< that tell anything
  static constexpr std::size_t kMax = 16;

  std::vector<std::uint64_t> of;  ///< one a row, below `count`, in order of time
  std::size_t count = 0;

  /// Stretches of 45 rows or more, up to `kMax`; of fewer, down to `rows_min` (1 or more), where
  /// there would be less than `kMin`. They are of rows: those of one moment may fall into two, and
  /// a gap in time lies within one. Cost: n log n.
  Stretches(std::span<const double> times_s, std::size_t rows_min);

  /// By how much a bootstrap of stretches is to be widened: it is too narrow by the one degree of
  /// freedom that the mean takes, and by what neighbouring stretches still have in common:
  /// √(B/(B − 1)·(1 + 2·max(0, r))), r the correlation of neighbours' sums of `values` (one a row),
  /// and 1/B more, by which that is too low. At least two stretches.
  [[nodiscard]] double widening(std::span<const double> values) const;
};

}  // namespace liminal::learn
