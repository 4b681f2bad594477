#include "server/training/builtin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/learn/calibrate.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/remake.hpp"
#include "core/traffic/schema.hpp"
#include "io/onnx/write.hpp"
#include "server/training/asked.hpp"
#include "server/training/comparison.hpp"
#include "server/training/cross_fit.hpp"
#include "server/training/injected.hpp"
#include "server/training/model_facts.hpp"
#include "server/training/prior.hpp"
#include "server/training/runner.hpp"
#include "server/training/searched.hpp"
#include "server/training/unsupervised.hpp"
#include "server/training/verdict.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using learn::refusal;

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTold{200};
/// Share of the budget that goes to the search without the rules' features.
constexpr double kWithoutShare = .15;
constexpr double kByChance = .05;  ///< skill is told so often where there is none
/// Shares of the budget: of the search where the guard takes its own, and where not. The rest is
/// for fitting once more and for judging.
constexpr double kSearchShare = .7, kSearchShareAlone = .85;
/// Tries to find something cheaper when a model takes longer than was estimated.
constexpr int kTriesMax = 3;

/// One training from rows to a judged model.
class Training {
 public:
  Training(Rows rows, const BuiltinOptions& options, const Telling& telling)
      : rows_(std::move(rows)),
        options_(options),
        telling_(telling),
        classes_(options.definition.task == models::Task::kClassification) {
    loss_.kind = classes_ ? learn::Loss::Kind::kLogistic : learn::Loss::Kind::kSquared;
  }

  /// `elsewhere` trains, if it is given.
  Asked<learn::TrainedModel> run(const TrainElsewhere& elsewhere = {}) {
    if (auto few = too_few(options_.definition, rows_)) return tl::unexpected(std::move(*few));
    const Problems problems = rows_.table.validate(true, classes_);
    if (!problems.empty())
      return refusal(ErrorCode::kConflict, "the rows' " + problems[0].key + " " + problems[0].text);
    held_out_ = classes_ ? hold_out_classes(rows_.table, options_.request.seed)
                         : hold_out_values(rows_.table,
                                           options_.definition.name == learn::kLoadPrediction
                                               ? 60. * kLoadHorizonMinutes
                                               : 0,
                                           options_.request.seed);
    test_ = rows_.table.chosen(held_out_.test);
    learn::Table train =
        searched(rows_.table, held_out_.train, loss_, search_options(options_.request.fits_max));
    timed_ = !train.times_s.empty();
    grouped_ = !train.groups.empty();
    if (learn::Search::rows_missing(train, loss_) > 0 || test_.rows() == 0)
      return refusal(ErrorCode::kConflict, "too few rows are left to learn from");
    teach_injected(train);
    if (elsewhere) {
      auto made = elsewhere(train, held_out_);
      if (!made) return tl::unexpected(made.error());
      return judge(train, std::move(*made));
    }
    const double share = guarded() ? kSearchShare : kSearchShareAlone;
    auto outcome = search(train, share, options_.request.fits_max, 0);
    if (!outcome) return tl::unexpected(outcome.error());
    return judge(train, std::move(*outcome));
  }

 private:
  /// Whether what takes so long fits in the budget of seconds, if there is one.
  [[nodiscard]] bool in_time(double seconds) const {
    const double since = std::chrono::duration<double>(Clock::now() - begun_).count();
    return options_.request.fits_max > 0 || since + seconds < options_.request.budget_s;
  }

  /// Adds made-up rows to what is learnt from, and says whether the search judges by them.
  void teach_injected(learn::Table& train) {
    const std::size_t count = rows_.injected.rows();
    if (count == 0) return;
    append(train, rows_.injected);
    taught_ = only_taught(train, count, loss_, search_options(options_.request.fits_max));
    rows_.notes.push_back(
        taught_ > 0 ? std::string("the search does not choose, calibrate or end a fit by them")
                    : fmt::format("the search chooses and calibrates by them, too: fewer than {} "
                                  "positive rows that came would be left for that",
                                  kJudgingMin));
  }

  /// Whether it will be trained once more without the rules' features.
  [[nodiscard]] bool guarded() const {
    return classes_ && !rows_.judged.empty() && !rows_.rule_features.empty();
  }

  [[nodiscard]] learn::SearchOptions search_options(std::uint32_t fits_max) const {
    learn::SearchOptions options;
    options.objective = classes_ ? learn::Objective::kRocAuc : learn::Objective::kSquaredError;
    options.fits_max = fits_max;
    options.seed = options_.request.seed;
    options.workers = options_.workers;
    options.champion = {options_.gate.latency_us_max, options_.gate.memory_bytes_max};
    options.fresh_ratio = 0;  // the rows that judge are held out already
    options.rows_only_taught = taught_;
    return options;
  }

  /// Takes a share of the budget, and tells of it from `progress` on.
  Asked<learn::Outcome> search(const learn::Table& train,
                               double share,
                               std::uint32_t fits_max,
                               double progress) {
    learn::SearchOptions options = search_options(fits_max);
    options.budget_s = share * options_.request.budget_s;
    const MakeFitter fitters = options_.fitting({train, loss_, options});
    learn::Search made(train, loss_, options);
    if (!made.problems().empty())
      return refusal(ErrorCode::kConflict,
                     "the search's " + made.problems()[0].key + " " + made.problems()[0].text);
    auto runner = std::make_unique<Runner>(
        std::move(made), fitters, Runner::Options{.workers = options_.workers});
    const bool first = progress == 0;
    while (!runner->wait_for(kTold)) {
      if (first) board_ = lines_of(runner->leaderboard());
      telling_.tell(progress + share * runner->progress(), board_);
      if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    }
    auto outcome = runner->outcome();
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    if (!outcome)
      return refusal(ErrorCode::kUnavailable,
                     "no model could be fitted within the budget: give it more");
    if (first) {
      validation_ = runner->validation();
      runner_ = std::move(runner);
    }
    return std::move(*outcome);
  }

  /// The best that may be asked where the model is asked, by what it takes when measured; the best
  /// of all where nothing is that cheap.
  learn::Trained affordable(const learn::Table& train,
                            const RunFacts& facts,
                            learn::Outcome& outcome) const {
    for (int i = 0; i < kTriesMax && outcome.champion; ++i) {
      const double took = measured(train, facts, outcome, *outcome.champion).cost.us_row;
      if (!(took > options_.gate.latency_us_max)) break;
      auto cheaper = runner_->outcome(
          {.9 * outcome.champion->cost.us_row * options_.gate.latency_us_max / took,
           options_.gate.memory_bytes_max});
      if (!cheaper || !cheaper->champion) break;
      outcome = std::move(*cheaper);
    }
    return outcome.champion ? *outcome.champion : outcome.best;
  }

  [[nodiscard]] learn::Cost cost_of(const models::Evaluator& evaluator) const {
    return {latency_us(evaluator, test_), static_cast<double>(evaluator.memory_bytes())};
  }

  /// What a model takes, and what it said of the held-out rows.
  struct Measured {
    learn::Cost cost;
    learn::Figures figures{};
    std::vector<float> said;
  };
  [[nodiscard]] Measured measured(const learn::Table& train,
                                  const RunFacts& facts,
                                  const learn::Outcome& outcome,
                                  const learn::Trained& trained) const {
    const auto evaluator = models::Evaluator::create(model_of(train, outcome, trained, facts));
    if (!evaluator) return {trained.cost, learn::kNoFigures, {}};
    Measured made;
    made.cost = cost_of(*evaluator);
    made.said = scores(*evaluator, test_);
    made.figures = learn::figures_of(made.said, test_.labels, loss_);
    return made;
  }

  Asked<learn::TrainedModel> judge(const learn::Table& train, learn::Outcome outcome) {
    RunFacts facts;
    facts.name = options_.definition.name;
    facts.target = options_.definition.target;
    facts.negative = "0";
    facts.positive = "1";
    facts.loss = loss_;
    facts.validation = validation_;
    facts.seed = options_.request.seed;
    facts.rows = train.rows();
    learn::Trained best = affordable(train, facts, outcome);
    runner_.reset();  // and all the models that it holds
    shift(train, outcome, best);
    learn::TrainedModel made;
    made.model = model_of(train, outcome, best, facts);
    if (options_.request.source != learn::DataSource::kFile)
      made.model.metadata.schema = traffic::schema_hash();
    made.leaderboard = lines_of(outcome.leaderboard);
    const auto evaluator = models::Evaluator::create(made.model);
    if (!evaluator)
      return refusal(ErrorCode::kUnsupported,
                     evaluator.error()[0].key + " " + evaluator.error()[0].text);
    const std::vector<float> said = scores(*evaluator, test_);
    RunReport report = judged(train, said, cost_of(*evaluator));
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    report.chosen_by = learn::name(validation_);
    made.reference = watched(options_.definition.task, rows_, held_out_, test_, said);
    made.judged = made.model;
    remember(held_out_, made.judged->metadata);
    telling_.tell(kSearchShareAlone, board_);
    report.importance = shuffle_losses(*evaluator, test_, measure(), options_.request.seed);
    facts.schema = made.model.metadata.schema;
    outcome.fresh = true;
    auto model = refitted(train, facts, outcome, best, {{}, report.figures, said});
    if (!model) return tl::unexpected(model.error());
    made.model = std::move(*model);
    report.served = fmt::format(
        "What answers was fitted once more, as chosen, on all {} rows; the figures are of the "
        "model that had not seen those that judge{}",
        rows_.table.rows(),
        cross_fit_in_words(made.model.metadata));
    std::optional<Blend> blend;
    if (outcome.champion && !outcome.best_is_champion)
      blend = keep_for_batches(train, facts, outcome, said, report, made);
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    finish(report, made);
    if (!blend) return made;
    report.best_for_batches = blend->told;
    auto board = made.leaderboard;
    board.insert(board.begin(), std::move(blend->line));
    made.batches->report = report_json(options_.request, report, board);
    return made;
  }

  void shift(const learn::Table& train,
             const learn::Outcome& outcome,
             learn::Trained& chosen) const {
    if (!classes_) return;
    const auto margins = margins_of(chosen.predictor, rows_.table, held_out_.between);
    shift_prior({rows_.table, held_out_, margins, outcome.labels, train, rows_.injected}, chosen);
  }

  /// A chosen model as it answers: fitted once more to all rows, with the figures that it had where
  /// it was judged.
  Asked<models::Model> refitted(const learn::Table& train,
                                RunFacts facts,
                                const learn::Outcome& outcome,
                                learn::Trained chosen,
                                const Measured& judged) {
    auto again = fit_again(
        rows_.table,
        held_out_,
        options_.request.seed,
        classes_,
        [&](auto rows) { return remake(chosen.recipes, rows_.table.chosen(rows)); },
        [&](double seconds) { return in_time(seconds); });
    if (!again) return tl::unexpected(again.error());
    chosen.predictor = std::move(again->predictor);
    facts.rows = rows_.table.rows();
    models::Model model = described(train, facts, outcome, std::move(chosen), judged);
    if (again->cross) remember(*again->cross, model.metadata);
    model.metadata.facts.emplace_back("fitted", "as chosen, once more on all rows");
    return model;
  }

  [[nodiscard]] models::Model described(const learn::Table& train,
                                        const RunFacts& facts,
                                        const learn::Outcome& outcome,
                                        learn::Trained trained,
                                        const Measured& judged) const {
    trained.figures = judged.figures;
    for (auto& [coverage, half] : trained.intervals)
      half = learn::conformal_half_width(judged.said, test_.labels, coverage);
    models::Model model = model_of(train, outcome, trained, facts);
    model.metadata.schema = facts.schema;
    return model;
  }

  /// What the report says of a blend beside it.
  struct Blend {
    RunReport::Blend told;
    learn::JobLine line;
  };

  /// The best blend, which is too dear to answer where the model is asked, if it is better on the
  /// held-out rows than what answers, which said `said`. It is fitted once more where the time
  /// allows. An extra: what stands against it is a reason in the report and no more.
  std::optional<Blend> keep_for_batches(const learn::Table& train,
                                        const RunFacts& facts,
                                        const learn::Outcome& outcome,
                                        std::span<const float> said,
                                        RunReport& report,
                                        learn::TrainedModel& made) {
    const auto none = [&](std::string_view why) -> std::optional<Blend> {
      report.gate.reasons.push_back(fmt::format("no blend is kept for batches: {}", why));
      return std::nullopt;
    };
    learn::Trained best = outcome.best;
    shift(train, outcome, best);
    const Measured judged = measured(train, facts, outcome, best);
    if (judged.said.empty()) return none("the best one does not answer");
    const bool better = classes_
                            ? measure()(judged.said, test_.labels) > measure()(said, test_.labels)
                            : judged.figures.mae < report.figures.mae;
    if (!better) return none("the best one is not better on the held-out rows");
    const bool again = in_time(seconds_of_blend(outcome.leaderboard));
    learn::BatchModel batches;
    batches.us_row = judged.cost.us_row;
    if (again) {
      auto model = refitted(train, facts, outcome, best, judged);
      if (!model) return none(model.error().text);
      batches.model = std::move(*model);
      if (batches.model.predictor == made.model.predictor)
        return none("fitted once more, the best one is what answers");
    } else {
      batches.model = described(train, facts, outcome, best, judged);
    }
    if (const auto file = onnx::write(batches.model); !file) return none(file.error().text);
    learn::JobLine line;
    line.recipe = fmt::format("the blend of {} for batches", best.recipes.members.size());
    line.score = measure()(outcome.best.scores, outcome.labels);
    line.us_row = judged.cost.us_row;
    line.memory_bytes = judged.cost.memory_bytes;
    batches.words = words_of_blend(report.figures, judged.figures, judged.cost);
    made.batches = std::move(batches);
    return Blend{{judged.figures, judged.cost, again}, std::move(line)};
  }

  Asked<learn::TrainedModel> judge(const learn::Table& train, Elsewhere elsewhere) {
    const models::Scorer& scorer = *elsewhere.scorer;
    board_ = elsewhere.made.leaderboard;
    const std::vector<float> said = scores(scorer, test_);
    if (said.empty()) return refusal(ErrorCode::kUnavailable, "the model does not answer");
    rows_.notes.insert(rows_.notes.end(), elsewhere.notes.begin(), elsewhere.notes.end());
    // What somebody else takes is not known: at least the file.
    const std::size_t bytes = std::max(scorer.memory_bytes(), elsewhere.made.foreign.size());
    RunReport report = judged(train, said, {latency_us(scorer, test_), static_cast<double>(bytes)});
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    report.importance = shuffle_losses(scorer, test_, measure(), options_.request.seed);
    if (elsewhere.decides) {
      const Decisions decided = decisions_of(said, test_.labels);
      for (const auto& [name, value] : {std::pair{"precision", decided.precision},
                                        std::pair{"recall", decided.recall},
                                        std::pair{"f1", decided.f1}})
        if (std::isfinite(value)) report.more.emplace_back(name, value);
      for (double* const figure : {&report.figures.brier,
                                   &report.figures.log_loss,
                                   &report.figures.recall_at_alerts,
                                   &report.figures.calibration_error})
        *figure = NAN;
      report.calibration.clear();
      report.gate.bias = {};
      report.gate.calibration_noise = 0;
    }
    learn::TrainedModel made = std::move(elsewhere.made);
    if (elsewhere.learnt_more) held_out_.learn_all_before();
    remember(held_out_, made.model.metadata);
    if (!classes_) tell_half_widths(said, test_.labels, made.model.metadata);
    made.reference = watched(options_.definition.task, rows_, held_out_, test_, said);
    if (options_.request.source != learn::DataSource::kFile)
      made.model.metadata.schema = traffic::schema_hash();
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    finish(report, made);
    return made;
  }

  [[nodiscard]] learn::Measure measure() const {
    return learn::measure_of(classes_ ? learn::Objective::kRocAuc : learn::Objective::kSquaredError,
                             loss_.level);
  }

  /// Figures, gate and guard of what a model said of the held-out rows.
  RunReport judged(const learn::Table& train,
                   std::span<const float> said,
                   const learn::Cost& cost) {
    RunReport report =
        verdict_on(said, cost, options_, loss_, rows_, held_out_, test_, telling_.cancelled);
    if (guarded()) guard(train, report);
    return report;
  }

  /// Rows with what was made up, to be fitted to.
  [[nodiscard]] learn::Table with_injected(learn::Table table) const {
    if (!timed_) table.times_s.clear();
    if (!grouped_) table.groups.clear();
    append(table, rows_.injected);
    return table;
  }

  /// The chosen configuration, fitted to rows that came.
  Asked<models::Predictor> remake(const learn::Recipes& recipes, learn::Table rows) const {
    learn::SearchOptions options;
    options.seed = options_.request.seed;
    learn::Table table = with_injected(std::move(rows));
    const learn::Fitter fitter = options_.fitting({table, loss_, options, true})();
    const learn::Material all = learn::material_of_all(std::move(table), loss_, options);
    auto made = learn::remake(all, recipes, options.seed, fitter, telling_.cancelled);
    if (made) return std::move(*made);
    return refusal(
        ErrorCode::kUnavailable,
        telling_.cancelled() ? "cancelled" : "the chosen model could not be fitted again");
  }

  /// Against learning by heart what the rules look at that gave the labels.
  void guard(const learn::Table& train, RunReport& report) {
    const bool people = report.judged_positives >= kJudgedMin;
    const auto against = [&](std::string reason) {
      if (people) return;
      report.gate.promote = false;
      report.gate.reasons.insert(report.gate.reasons.begin(), std::move(reason));
    };
    const learn::Table less = without(train, rows_.rule_features);
    if (less.features.empty())
      return against(
          "the rules that gave the labels look at all of its features: people must "
          "judge alerts before it can be believed");
    const std::uint32_t fits = options_.request.fits_max > 0
                                   ? std::max<std::uint32_t>(8, options_.request.fits_max / 4)
                                   : 0;
    const auto outcome = search(less, kWithoutShare, fits, kSearchShare);
    if (!outcome) return against("skill without the rules' own features could not be told");
    models::Model model;
    model.metadata.task = models::Task::kClassification;
    describe(less, model.metadata);
    model.predictor = outcome->best.predictor;
    const auto evaluator = models::Evaluator::create(model);
    if (!evaluator) return against("skill without the rules' own features could not be told");
    const auto said = scores(*evaluator, without(test_, rows_.rule_features));
    const learn::PairedAuc test = learn::against_chance(said, test_.labels, test_.groups);
    report.without_rule_features = test.challenger;
    const std::string text =
        fmt::format("without what the rules look at, AUC is {:.3f}", test.challenger);
    if (test.z > test.line(kByChance)) {
      report.gate.reasons.push_back(text);
    } else {
      against("it may only repeat the rules that gave the labels: " + text);
    }
  }

  void finish(const RunReport& report, learn::TrainedModel& made) const {
    made.fingerprint = fingerprint_of(rows_.table);
    const learn::NamedFigures metrics = metrics_of(report);
    made.metrics.insert(made.metrics.end(), metrics.begin(), metrics.end());
    made.better = report.gate.promote;
    made.reasons = report.gate.reasons;
    made.report = report_json(options_.request, report, made.leaderboard);
  }

  Rows rows_;
  const BuiltinOptions& options_;
  const Telling& telling_;
  const bool classes_;
  const Clock::time_point begun_ = Clock::now();
  learn::Loss loss_;
  HeldOut held_out_;
  learn::Table test_;
  bool timed_ = false, grouped_ = false;  ///< what the search parts by
  std::size_t taught_ = 0;                ///< of the search's rows, the last, that judge nothing
  learn::Validation validation_ = learn::Validation::kFolds;
  std::unique_ptr<Runner> runner_;  ///< of the first search, to be asked for something cheaper
  std::vector<learn::JobLine> board_;
};

}  // namespace

Asked<learn::TrainedModel> train_elsewhere(Rows rows,
                                           const BuiltinOptions& options,
                                           const TrainElsewhere& elsewhere,
                                           const Telling& telling) {
  return Training(std::move(rows), options, telling).run(elsewhere);
}

Asked<learn::TrainedModel> train_builtin(Rows rows,
                                         const BuiltinOptions& options,
                                         const Telling& telling) {
  if (options.request.unsupervised) return train_anomalies(rows, options, telling);
  switch (options.definition.task) {
    case models::Task::kClassification:
    case models::Task::kRegression:
      return Training(std::move(rows), options, telling).run();
    case models::Task::kClustering:
      return train_clusters(rows, options, telling);
    case models::Task::kAnomaly:
      return train_anomalies(rows, options, telling);
  }
  return refusal(ErrorCode::kUnsupported, "the builtin trainer does not know this task");
}

}  // namespace liminal::training
