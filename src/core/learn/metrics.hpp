#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace liminal::learn {

// Labels of classification are 0 or 1 (above .5 is positive); scores may have any scale and are
// compared by their order, probabilities lie in 0–1. Spans of one call have one length. Where a
// measure is not defined (no rows, one class only) it is NaN. NaN among scores is not allowed.

[[nodiscard]] constexpr bool is_positive(float label) { return label > .5F; }
[[nodiscard]] std::size_t positives(std::span<const float> labels);

/// The area under the ROC curve: how often a positive row has the higher score, ties count half.
/// Cost: n log n.
[[nodiscard]] double roc_auc(std::span<const float> scores, std::span<const float> labels);

/// Average precision, the area under the precision-recall curve by steps; rows of one score come
/// together. Cost: n log n.
[[nodiscard]] double average_precision(std::span<const float> scores,
                                       std::span<const float> labels);

/// Of the positives, the share among the highest-scored `alert_ratio` of all rows (at least one
/// row). Rows that share the last score count by their share of what fits.
[[nodiscard]] double recall_at(std::span<const float> scores,
                               std::span<const float> labels,
                               double alert_ratio);

/// Mean of (p − y)².
[[nodiscard]] double brier(std::span<const float> probabilities, std::span<const float> labels);
/// Mean of −ln p of what happened; p is kept 1e-7 away from 0 and 1.
[[nodiscard]] double log_loss(std::span<const float> probabilities, std::span<const float> labels);
/// The same of margins, p = 1/(1 + e^−m), without loss for large ones.
[[nodiscard]] double margin_log_loss(std::span<const float> margins, std::span<const float> labels);

[[nodiscard]] double mean_absolute_error(std::span<const float> said, std::span<const float> is);
[[nodiscard]] double root_mean_square_error(std::span<const float> said, std::span<const float> is);
/// Mean of the pinball loss at `level` (.5: half of the absolute error).
[[nodiscard]] double pinball(std::span<const float> said, std::span<const float> is, double level);
/// 0–1: of what a quantile is foretold to be, that quantile's own level.
[[nodiscard]] double share_at_or_below(std::span<const float> said, std::span<const float> is);

/// A part of the range of predicted probabilities, what was said there and what came.
struct CalibrationBin {
  std::size_t rows = 0;
  double predicted = 0;  ///< mean probability
  double observed = 0;   ///< share of positives
};
/// The rows in `bins` parts of equal size by probability. Where a cut goes through rows of one
/// probability, each side gets their mean: the order of rows does not matter.
[[nodiscard]] std::vector<CalibrationBin> calibration_bins(std::span<const float> probabilities,
                                                           std::span<const float> labels,
                                                           std::size_t bins);
/// Mean of |predicted − observed| over ten such bins (expected calibration error).
[[nodiscard]] double calibration_error(std::span<const float> probabilities,
                                       std::span<const float> labels);

/// A measure of scores and labels; larger is better.
using Measure = std::function<double(std::span<const float>, std::span<const float>)>;

}  // namespace liminal::learn
