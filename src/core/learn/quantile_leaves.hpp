#pragma once

#include <span>
#include <vector>

#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// The smallest value at or below which at least `level` (in 0–1) of the weight lies; in the middle
/// between it and the next where that is exactly so much. Weights: one a value, above 0, or none
/// (all alike). There must be a value. Cost: n log n.
[[nodiscard]] double weighted_quantile(std::span<const float> values,
                                       std::span<const float> weights,
                                       double level);

/// The place of each value in their order, in (0, 1); equal ones share the middle of theirs. What a
/// monotone change of the values, or a few of any size, do not move.
[[nodiscard]] std::vector<float> places_of(std::span<const float> values);

/// Sets every leaf to that quantile of the labels of the rows that fall into it; a leaf without any
/// keeps its value. Rows as the trees were grown on.
///
/// Source: Meinshausen 2006, "Quantile regression forests"; but each tree answers by itself, and
/// the forest with the mean, so that it stays a sum of trees.
void settle_leaves(models::Trees& trees,
                   const Matrix& rows,
                   std::span<const float> labels,
                   std::span<const float> weights,
                   double level);

}  // namespace liminal::learn
