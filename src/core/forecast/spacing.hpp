#pragma once

#include <span>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::forecast {

/// The usual distance of points in time: the median of those between neighbours, in the unit of the
/// times. @param times  at least two, each after the one before
[[nodiscard]] double usual_step(std::span<const double> times);

/// Puts missing values (NaN) where points lie further apart than a step: each distance is as many
/// steps as it is nearest to, at least one. Irregular times make no gap by themselves.
///
/// Fails with `kTooLarge` when there would be more than `points_max` (position: of the point before
/// which they are too many). Cost: linear in the points that it gives.
/// @param times  as many as values, each after the one before  @param step  above 0
[[nodiscard]] Result<std::vector<double>> space_evenly(std::span<const double> times,
                                                       std::span<const double> values,
                                                       double step,
                                                       std::size_t points_max);

/// The same on a grid of steps that need not be the points' own distance: each counts at the step
/// that it lies nearest to, from the first one's time on; those of one step as their mean, one
/// without any as missing. So the last step is as long after the first as the points are, within
/// half a step.
[[nodiscard]] Result<std::vector<double>> place_on_grid(std::span<const double> times,
                                                        std::span<const double> values,
                                                        double step,
                                                        std::size_t points_max);

}  // namespace liminal::forecast
