#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/learn/calibration_bias.hpp"
#include "core/learn/paired.hpp"

namespace liminal::learn {

/// A part of the held-out rows that must not get much worse: a channel, a protocol, new users.
struct Slice {
  std::string name;
  std::vector<std::uint32_t> rows;
};

/// Both models' answers on the same held-out rows, which neither was trained, chosen or calibrated
/// on. Spans of one length; without a champion `champion` is empty.
struct GateInput {
  std::span<const float> champion, challenger;  ///< probabilities, or predicted values
  std::span<const float> labels;
  /// Whose each row is: what is said of one user's rows is wrong together. Empty: not known, and
  /// each row counts as one of its own.
  std::span<const std::uint64_t> users{};
  /// Of values whose users are not known: when each row was. What is said of neighbours in time is
  /// wrong together, so that stretches of time judge (`Stretches`), none of less than
  /// `stretch_rows_min` rows. Empty: not known either.
  std::span<const double> times_s{};
  std::size_t stretch_rows_min = 10;
  std::span<const Slice> slices;
  double latency_us = 0;    ///< of the challenger, a row
  double memory_bytes = 0;  ///< of the challenger
  std::uint32_t looks = 1;  ///< how many challengers these very rows judge, this one included
  std::uint64_t seed = 1;   ///< of the bootstrap
};

struct GateOptions {
  double false_ratio = .05;     ///< of promotions without being better, one-sided, over all looks
  double least = .005;          ///< the difference of AUC that should be told
  double positives_min = 50;    ///< and as many negatives
  double slice_loss_max = .02;  ///< of AUC, beyond its own uncertainty of 95 %
  double slice_positives_min = 20;  ///< smaller slices are not judged
  double latency_us_max = 5;
  double memory_bytes_max = 8. * 1024 * 1024;
  /// Whether scores are probabilities. Else only their order counts, and calibration is not judged.
  bool probabilities = true;
  /// By bins, or no worse than the champion's, or than what chance makes of right probabilities.
  double calibration_error_max = .05;
  /// Mean probability against the share of positives, in parts of that share: what counts where
  /// positives are rare. Or no worse than the champion's.
  double calibration_ratio_max = .25;

  [[nodiscard]] Problems validate() const;
};

/// Whether a challenger becomes champion, with the reasons in words, decisive ones first.
struct GateDecision {
  bool promote = false;
  std::vector<std::string> reasons;
  PairedAuc test;             ///< of classification
  PairedBootstrap bootstrap;  ///< of regression, of −MAE
  CalibrationBias bias;       ///< of the challenger's probabilities, where they are judged
  /// What their average error by bins is exceeded by in 5 % of cases if they are right; 0 where
  /// that error is within the line, and it was not asked.
  double calibration_noise = 0;
  /// The difference of AUC that these tell: `least`, or the one from chance that was seen, without
  /// a champion. 0 when not known; users also where they are not.
  double to_tell = 0;
  double positives_needed = 0;
  double users_needed = 0;  ///< alike, of the class that has fewer
};

/// The gate for probabilities: promoted when the challenger's ROC-AUC is higher by DeLong's paired
/// test of users (z above the quantile of 1 − `false_ratio`/`looks`: 1.645 at one look where users
/// are many or not known), there are enough rows of both classes, no slice lost much, it is within
/// its budget of time and memory, and its probabilities are what they say. Without a champion:
/// better than chance by the same test.
///
/// Probabilities may be off by `calibration_error_max` on average over ten bins, as far as the
/// champion's, or as far as users' luck explains (`calibration_noise`). Their mean may be off by
/// `calibration_ratio_max`, or as far as the champion's on the same rows: that line decides, not
/// the interval by users, which says in the reasons whether what lies beyond is badly calibrated or
/// of too few users to tell. Without a champion, nothing is promoted by positives of too few users
/// for any interval; with one, which is known as little, the line alone decides.
///
/// Why not simply the better one: of equal challengers that would promote half, of ten on one set a
/// fifth even by an uncorrected test. With options that are not valid nothing is promoted, and the
/// reasons say why.
[[nodiscard]] GateDecision judge_classifier(const GateInput& input,
                                            const GateOptions& options = {});

/// The same for values, by mean absolute error and a paired bootstrap of users, of ten times as
/// many rounds as its line (`false_ratio`/`looks`) needs to be told, from 1,000 to 20,000. Slices
/// by their mean absolute error, which may grow by `slice_loss_max` in parts of the champion's,
/// beyond an uncertainty of 95 % by users. Where times and no users are known, stretches of time
/// stand in for users; of fewer than five nothing is shown, nor when it was stopped (empty: never).
[[nodiscard]] GateDecision judge_regressor(const GateInput& input,
                                           const GateOptions& options = {},
                                           const Stop& stop = {});

}  // namespace liminal::learn
