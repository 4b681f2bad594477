#include "server/training/table_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/learn/remake.hpp"
#include "io/csv/number.hpp"

namespace liminal::training {
namespace {

using learn::Loss;
using learn::Objective;

constexpr std::size_t kUnsupervisedRowsMin = 20;

tl::unexpected<TableRefusal> wrong_wish(std::string text) {
  return tl::unexpected(TableRefusal{true, std::move(text)});
}
tl::unexpected<TableRefusal> wrong_table(std::string text) {
  return tl::unexpected(TableRefusal{false, std::move(text)});
}

/// The search's loss and objective.
struct Aim {
  Loss loss;
  Objective objective = Objective::kRocAuc;
};

tl::expected<Aim, TableRefusal> aim_of(const TableWish& wish, bool two_values) {
  constexpr std::array<std::string_view, 3> kTasks{"auto", "classification", "regression"};
  if (std::find(kTasks.begin(), kTasks.end(), wish.task) == kTasks.end())
    return wrong_wish("task must be auto, classification, regression, anomaly or clustering");
  const bool classes =
      wish.task == "classification" || (wish.task == "auto" && two_values && wish.quantile == 0);
  const std::string& wanted = wish.objective;
  if (classes) {
    if (!two_values) return wrong_wish("the target has not just two values");
    if (wanted == "auto" || wanted == "roc-auc") return Aim{};
    if (wanted == "pr-auc") return Aim{{}, Objective::kAveragePrecision};
    if (wanted == "log-loss") return Aim{{}, Objective::kLogLoss};
    return wrong_wish("objective " + wanted + " is for values, not for classes");
  }
  if (wish.quantile != 0) {
    if (!(wish.quantile > 0 && wish.quantile < 1))
      return wrong_wish("quantile must lie between 0 and 1");
    return Aim{{Loss::Kind::kPinball, wish.quantile}, Objective::kPinball};
  }
  if (wanted == "auto" || wanted == "squared")
    return Aim{{Loss::Kind::kSquared, .5}, Objective::kSquaredError};
  if (wanted == "absolute") return Aim{{Loss::Kind::kPinball, .5}, Objective::kPinball};
  return wrong_wish("objective " + wanted + " is for classes, not for values");
}

/// Two values that are to be foretold as numbers and not as classes; false when they are texts.
bool to_numbers(CsvTable& read) {
  const auto low = csv::number(read.negative), high = csv::number(read.positive);
  if (!low || !high) return false;
  for (float& label : read.table.labels) label = static_cast<float>(label > .5F ? *high : *low);
  return true;
}

std::optional<std::string> refusal(const learn::Table& table, const Loss& loss) {
  const Problems problems = table.validate(true, loss.classes());
  if (!problems.empty()) return problems[0].key + " " + problems[0].text;
  const std::size_t missing = learn::Search::rows_missing(table, loss);
  if (missing == 0) return std::nullopt;
  return loss.classes()
             ? fmt::format("too few rows: {} more of the rarer class are needed", missing)
             : fmt::format("too few rows: {} more are needed", 2 * missing);
}

learn::SearchOptions options_of(const TableWish& wish, Objective objective) {
  learn::SearchOptions options;
  options.objective = objective;
  options.budget_s = wish.time_budget_s;
  options.fits_max = wish.fits_max;
  options.seed = wish.seed;
  options.workers = wish.workers;
  options.champion = {wish.latency_us, wish.size_mib * 1024 * 1024};
  return options;
}

bool never() { return false; }

}  // namespace

tl::expected<std::unique_ptr<TableRun>, TableRefusal> TableRun::begin(CsvTable read,
                                                                      const TableWish& wish,
                                                                      Clock::time_point begun,
                                                                      Fitting fitting) {
  const auto aim = aim_of(wish, read.classes);
  if (!aim) return tl::unexpected(aim.error());
  std::unique_ptr<TableRun> run(new TableRun);
  RunFacts& facts = run->facts_;
  facts.name = wish.name;
  facts.target = wish.target;
  facts.seed = wish.seed;
  facts.rows = read.table.rows();
  facts.loss = aim->loss;
  facts.objective = aim->objective;
  if (aim->loss.classes()) {
    facts.negative = read.negative;
    facts.positive = read.positive;
  } else if (read.classes && !to_numbers(read)) {
    return wrong_table("the target is no number");
  }
  run->notes_ = std::move(read.notes);
  if (auto why = refusal(read.table, facts.loss)) return wrong_table(std::move(*why));
  run->options_ = options_of(wish, aim->objective);
  run->weights_ = read.table.weights;
  run->fitting_ = std::move(fitting);
  MakeFitter fitters = run->fitting_({read.table, aim->loss, run->options_});
  learn::Search search(std::move(read.table), aim->loss, run->options_);
  if (!search.problems().empty()) {
    const Problem& problem = search.problems().front();
    return wrong_table(problem.key + " " + problem.text);
  }
  run->runner_ = std::make_unique<Runner>(std::move(search),
                                          std::move(fitters),
                                          Runner::Options{.workers = wish.workers, .begun = begun});
  return run;
}

bool TableRun::finish() {
  auto outcome = runner_->outcome();
  if (!outcome) return false;
  outcome_ = std::move(*outcome);
  facts_.validation = runner_->validation();
  facts_.elapsed_s = runner_->elapsed_s();
  return true;
}

tl::expected<models::Model, std::string> TableRun::model(const learn::Trained& trained) const {
  learn::Trained last = trained;
  if (outcome_->fresh) {
    learn::Table rows = table();
    rows.weights = weights_;
    const learn::Fitter fitter = fitting_({rows, facts_.loss, options_, true})();
    const learn::Material all = learn::material_of_all(std::move(rows), facts_.loss, options_);
    auto made = learn::remake(all, trained.recipes, options_.seed, fitter, never);
    if (!made) return tl::unexpected<std::string>("it could not be fitted to all rows");
    last.predictor = std::move(*made);
  }
  models::Model model = model_of(table(), *outcome_, last, facts_);
  if (outcome_->fresh)
    model.metadata.facts.emplace_back("fitted", "as chosen, once more on all rows");
  if (const Problems problems = models::validate(model); !problems.empty())
    return tl::unexpected(problems[0].key + " " + problems[0].text);
  return model;
}

Report TableRun::report() const {
  Report report;
  report.facts = facts_;
  report.table = &table();
  report.outcome = &*outcome_;
  report.notes = notes_;
  report.fitted_again = outcome_->fresh;
  report.importance = importance_of(table(), *outcome_, facts_);
  return report;
}

tl::expected<Unsupervised, std::string> train_unsupervised(const learn::Table& table,
                                                           const TableWish& wish) {
  if (const Problems problems = table.validate(false, false); !problems.empty())
    return tl::unexpected(problems[0].key + " " + problems[0].text);
  if (table.rows() < kUnsupervisedRowsMin)
    return tl::unexpected(fmt::format("too few rows: {} are needed", kUnsupervisedRowsMin));
  Unsupervised out;
  models::Metadata& metadata = out.model.metadata;
  metadata.name = wish.name;
  metadata.trainer = "builtin";
  describe(table, metadata);
  metadata.facts.emplace_back("rows", std::to_string(table.rows()));
  metadata.facts.emplace_back("seed", std::to_string(wish.seed));
  if (wish.task == "anomaly") {
    learn::AnomalyModel found = learn::find_anomalies(table, wish.alert_ratio, wish.seed, never);
    metadata.task = models::Task::kAnomaly;
    metadata.line = found.line;
    out.judged = judge_anomalies(table, wish.alert_ratio, wish.seed, never);
    for (const auto& [name, value] : out.judged->figures)
      metadata.facts.emplace_back(name, fmt::format("{:.9g}", value));
    out.model.predictor = std::move(found.forest);
    out.found = std::move(found);
  } else {
    learn::ClusterOptions options;
    options.seed = wish.seed;
    learn::Clustering found = learn::find_clusters(table, options, never);
    metadata.task = models::Task::kClustering;
    for (std::size_t c = 0; c < found.clusters.size(); ++c)
      metadata.facts.emplace_back(fmt::format("cluster.{}", c), found.clusters[c].words);
    out.model.predictor = std::move(found.model);
    out.found = std::move(found);
  }
  if (const Problems problems = models::validate(out.model); !problems.empty())
    return tl::unexpected("the model is not sound: " + problems[0].key + " " + problems[0].text);
  return out;
}

}  // namespace liminal::training
