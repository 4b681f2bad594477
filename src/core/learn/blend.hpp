#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/learn/metrics.hpp"

namespace liminal::learn {

/// Margins of several models on the same rows.
using MarginTable = std::vector<std::vector<float>>;

/// Weights (one a model, with sum 1) of a blend of at most `members_max` models that scores best on
/// these rows: begins with the best, then adds, with replacement, whatever helps most, for at most
/// `rounds`. All zero when no model has a defined score.
///
/// Source: Caruana et al., "Ensemble selection from libraries of models", 2004.
[[nodiscard]] std::vector<double> greedy_blend(const MarginTable& margins,
                                               std::span<const float> labels,
                                               const Measure& measure,
                                               std::size_t members_max,
                                               std::size_t rounds);

/// The mean of such weights over `bags` random halves of the rows, at most 4 models and 6 rounds in
/// each: what helped one half by luck weighs little.
[[nodiscard]] std::vector<double> bagged_blend(const MarginTable& margins,
                                               std::span<const float> labels,
                                               const Measure& measure,
                                               std::size_t bags,
                                               std::uint64_t seed);

/// The weighted sum of margins.
[[nodiscard]] std::vector<float> blended(const MarginTable& margins,
                                         std::span<const double> weights);

}  // namespace liminal::learn
