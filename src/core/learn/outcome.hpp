#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/learn/calibrate.hpp"
#include "core/learn/cost.hpp"
#include "core/learn/ledger.hpp"
#include "core/learn/recipe.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

struct LeaderboardLine {
  std::size_t candidate = 0;  ///< counted in the order of first asking
  std::string recipe;
  double score = 0;  ///< of the objective, larger is better
  std::uint32_t fits = 0;
  std::uint32_t rounds = 0;
  double cost_s = 0;      ///< of its fits together
  Cost cost;              ///< of one of its models
  double weight = 0;      ///< in the blend; 0 while the search runs
  bool champion = false;  ///< a fit of it is the champion by itself
};

/// How good a model is on rows that it was not fitted to. What does not apply is NaN.
struct Figures {
  double roc_auc, pr_auc, brier, log_loss, recall_at_alerts, calibration_error;  ///< classes
  double mae, rmse, pinball;                                                     ///< values
  double at_or_below;  ///< values: the share of truths at or below what was said
};
inline constexpr Figures kNoFigures{std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::quiet_NaN()};
/// The share of rows of which `recall_at_alerts` may alert.
inline constexpr double kAlertRatio = .01;

[[nodiscard]] Figures figures_of(std::span<const float> scores,
                                 std::span<const float> labels,
                                 const Loss& loss);

/// How a model was made: what it takes to make it again, of other rows.
struct Recipes {
  struct Member {
    Recipe recipe;
    std::uint32_t rounds = 0;  ///< of boosting
    double weight = 1;
  };
  std::vector<Member> members;
  double slope = 1, intercept = 0;  ///< of the calibration, on rows that its fits had not seen
};

/// One model that came out, with its answers on `Outcome::rows`.
struct Trained {
  models::Predictor predictor;
  Recipes recipes;
  Cost cost;
  std::vector<float> scores;  ///< probabilities or values, in the order of `Outcome::rows`
  Figures figures{};
  Figures unseen_figures{};  ///< on the rows of users that the search never saw
  /// Values: half widths of intervals that hold the truth in 80, 90 and 95 % of cases; none around
  /// a quantile that is not the middle.
  std::vector<std::pair<double, double>> intervals;
};

struct Outcome {
  Trained best;  ///< the best blend, for batches
  /// The best within the budget for the path of messages; the same as `best` when that is. None
  /// when nothing is cheap enough.
  std::optional<Trained> champion;
  bool best_is_champion = false;
  /// Whether `rows` are such that nothing here was fitted to, chosen by or calibrated on. Else
  /// (too few rows, or none held out) they are those of validation: not trained on, but they
  /// decided when boosting ended, places in the blend and the calibration, so that figures are a
  /// little too good and intervals a little too narrow.
  bool fresh = false;
  std::vector<std::uint32_t> rows;  ///< of the table
  std::vector<float> labels;
  std::size_t unseen_rows =
      0;  ///< of `rows`, of users that the search never saw; 0: no users known
  std::vector<LeaderboardLine> leaderboard;  ///< its scores are of the validation
  /// Positives that a fresh set needs to tell .005 of ROC-AUC between two such models; 0 when not
  /// known.
  double positives_needed = 0;
};

/// Puts the models together when a search is done; `champion` is the candidate for the path of
/// messages when the blend is not within `budget`. `kUnavailable` when the pool is empty,
/// `kUnsupported` when a model exceeds what can be evaluated (`models::validate`).
[[nodiscard]] Result<Outcome> assemble(const Ledger& ledger,
                                       const Pool& pool,
                                       std::optional<std::size_t> champion,
                                       const Cost& budget);

[[nodiscard]] std::vector<LeaderboardLine> leaderboard_of(const Ledger& ledger);

}  // namespace liminal::learn
