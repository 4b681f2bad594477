#pragma once

#include <functional>
#include <memory>

#include "core/learn/outcome.hpp"
#include "core/learn/promote.hpp"
#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"
#include "server/training/fitting.hpp"
#include "server/training/held_out.hpp"
#include "server/training/rows.hpp"

namespace liminal::training {

/// What training tells while it runs, and asks. Called from the calling thread.
struct Telling {
  std::function<bool()> cancelled;
  std::function<void(double progress, std::vector<learn::JobLine>)> tell;
};

struct BuiltinOptions {
  learn::ModelDefinition definition;
  learn::TrainRequest request;
  std::shared_ptr<const models::Scorer> champion;  ///< null: there is none
  /// The champion as it was judged, before it learnt all rows; its facts say what it has not learnt
  /// (`remember`). Null: not kept, or the champion is what was judged.
  std::shared_ptr<const models::Scorer> champion_judged{};
  /// When the champion was trained: what was before it may know by heart. None: it learnt none of
  /// the rows.
  std::optional<double> champion_trained_s{};
  std::optional<learn::WatchReference> champion_reference{};  ///< what its rows were like
  std::uint32_t looks = 1;    ///< how many were compared with this champion, this one included
  std::uint32_t workers = 2;  ///< fits at a time
  Fitting fitting = fitting_here();  ///< where they are carried out
  learn::GateOptions gate{};         ///< its latency and memory are the search's budget, too
};

/// Trains by the search of core/learn, or by k-means, on a part of the rows, and judges on the rest
/// whether the result is better than the champion, or, without one, than saying nothing: chance,
/// the last value, one cluster. Labels that rules gave are not believed alone: where people judged
/// too little, the model must have skill without the features that those rules look at, too.
///
/// Blocks; ends soon after it is cancelled. Threads: `workers` of its own.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_builtin(Rows rows,
                                                              const BuiltinOptions& options,
                                                              const Telling& telling);

/// A model that somebody else made of a table, and who answers for it.
struct Elsewhere {
  learn::TrainedModel made;  ///< the file, its metadata and the leaderboard; no figures
  std::shared_ptr<const models::Scorer> scorer;
  std::vector<std::string> notes;  ///< for the report
  /// Its answers are 0 or 1 and no probabilities: they are reported by what was decided.
  bool decides = false;
  /// Learnt from more than the rows at hand: from all that their parting leaves for that.
  bool learnt_more = false;
};
using TrainElsewhere =
    std::function<learn::Asked<Elsewhere>(const learn::Table& train, const HeldOut& held_out)>;

/// The same for classes and values where somebody else trains: the rows are parted, the result is
/// judged by the same figures, guard and gate, and answers as it came.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_elsewhere(Rows rows,
                                                                const BuiltinOptions& options,
                                                                const TrainElsewhere& elsewhere,
                                                                const Telling& telling);

/// Points from (0, 0) or the highest score on, at most 200.
using Curve = std::vector<std::pair<double, double>>;
/// Shares of the negatives and of the positives at or above a score, by falling score.
[[nodiscard]] Curve roc_curve(std::span<const float> scores, std::span<const float> labels);
/// Recall and precision at or above a score, by falling score.
[[nodiscard]] Curve precision_curve(std::span<const float> scores, std::span<const float> labels);

/// All that a report says of a run.
struct RunReport {
  const Rows* rows = nullptr;
  const HeldOut* held_out = nullptr;
  std::string chosen_by;                                   ///< which rows the search chose by
  learn::Figures figures{};                                ///< of the new model, held out
  std::optional<learn::Figures> champion;                  ///< of the champion on the same rows
  std::optional<learn::Figures> on_judged;                 ///< on held-out rows that people judged
  std::size_t judged_rows = 0, judged_positives = 0;       ///< held out
  std::optional<double> without_rule_features;             ///< ROC-AUC
  std::vector<std::pair<std::string, double>> importance;  ///< what shuffling a feature costs
  std::vector<learn::CalibrationBin> calibration;
  /// How far features' distributions lie from those of the champion's rows (population stability
  /// index), the farthest first. Empty: there is nothing to compare with.
  std::vector<std::pair<std::string, double>> drift;
  Curve roc, precision;      ///< of classes
  learn::NamedFigures more;  ///< held out, beside `figures`
  std::string served;        ///< how what answers differs from what was judged, in words
  /// A blend for batches that is better than what answers (`BatchModel`), where one is kept.
  struct Blend {
    learn::Figures figures;     ///< held out
    learn::Cost cost;           ///< as it was measured
    bool fitted_again = false;  ///< on all rows
  };
  std::optional<Blend> best_for_batches;
  learn::GateDecision gate;
  double latency_us = 0;
  double memory_bytes = 0;
};
[[nodiscard]] std::string report_json(const learn::TrainRequest& request,
                                      const RunReport& report,
                                      const std::vector<learn::JobLine>& leaderboard);
/// About how long the members of the best blend take to be fitted once more: what a fit of each
/// took in the search.
[[nodiscard]] double seconds_of_blend(const std::vector<learn::LeaderboardLine>& leaderboard);
[[nodiscard]] std::string words_of_blend(const learn::Figures& answers,
                                         const learn::Figures& blend,
                                         const learn::Cost& cost);
/// What of it is kept with the version.
[[nodiscard]] learn::NamedFigures metrics_of(const RunReport& report);
[[nodiscard]] std::vector<learn::JobLine> lines_of(const std::vector<learn::LeaderboardLine>& from);

}  // namespace liminal::training
