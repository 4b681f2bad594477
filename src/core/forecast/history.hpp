#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/forecast/seasons.hpp"

namespace liminal::forecast {

/// How a series' values become what the members work on, and back: in parts of its mean size
/// ("level"), and their logarithm.
///
/// A series that reaches zero is raised by .01 of its mean before the logarithm; one with negative
/// values by enough that its logarithm is nearly a line. Everything in between 0 and the smallest
/// number a double holds can be a scale, so sums never overflow.
struct Scaling {
  double scale = 1;          ///< mean |x|
  double offset = 0;         ///< added to the level before the logarithm
  double floor = 1e-9;       ///< the least level + offset that is taken the logarithm of
  bool non_negative = true;  ///< no value below 0 was seen: no forecast is below 0

  /// Of the observed values; missing ones are NaN.
  static Scaling of(std::span<const double> values);

  [[nodiscard]] double to_log(double level) const;
  [[nodiscard]] double from_log(double z) const;
};

/// A history made ready: every gap filled, in the scales of the members.
struct History {
  std::uint64_t first = 0;  ///< the absolute number of the first point
  Scaling scaling;
  std::vector<double> level, log;
  std::vector<double> observed;  ///< 1 where there was a value, 0 where it was filled

  [[nodiscard]] std::size_t size() const { return level.size(); }
};

/// Fills missing values (NaN): by the value one season before (the week's, else the day's) moved to
/// fit what stands beside the gap, else on a straight line. `values` must hold one value at least.
void fill_gaps(std::span<double> values, Seasons seasons);

/// Fills and scales. Memory: 3 numbers a point. Cost: 10 ns a point.
[[nodiscard]] History prepare(std::span<const double> values,
                              std::uint64_t first,
                              Seasons seasons,
                              const Scaling& scaling);

}  // namespace liminal::forecast
