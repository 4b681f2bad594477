#include "server/training/unsupervised.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/base/random.hpp"
#include "core/base/shuffle.hpp"
#include "core/learn/anomalies.hpp"
#include "core/learn/clusters.hpp"
#include "core/learn/metrics.hpp"
#include "core/traffic/schema.hpp"
#include "server/training/asked.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using learn::refusal;

/// What keeps a training from beginning.
std::optional<learn::Refusal> unfit(const Rows& rows, const BuiltinOptions& options) {
  learn::ModelDefinition definition = options.definition;
  if (options.request.unsupervised) definition.task = models::Task::kAnomaly;
  if (auto few = too_few(definition, rows)) return few;
  const Problems problems = rows.table.validate(false, false);
  if (problems.empty()) return std::nullopt;
  return learn::Refusal{
      ErrorCode::kConflict, "the rows' " + problems[0].key + " " + problems[0].text, {}, 0};
}

void describe_run(const Rows& rows,
                  const BuiltinOptions& options,
                  models::Task task,
                  models::Metadata& metadata) {
  metadata.name = options.definition.name;
  metadata.task = task;
  metadata.trainer = "builtin";
  if (options.request.source != learn::DataSource::kFile) metadata.schema = traffic::schema_hash();
  describe(rows.table, metadata);
  metadata.facts.emplace_back("rows", std::to_string(rows.table.rows()));
  metadata.facts.emplace_back("seed", std::to_string(options.request.seed));
}

/// A forest as a model that is asked.
std::optional<models::Evaluator> evaluator_of(const learn::AnomalyModel& found,
                                              const learn::Table& table) {
  models::Model model;
  model.metadata.task = models::Task::kAnomaly;
  for (const learn::Feature& feature : table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = found.forest;
  auto made = models::Evaluator::create(model);
  if (!made) return std::nullopt;
  return std::move(*made);
}

/// Places in the order of the values; of equal ones the mean.
std::vector<double> ranks(const std::vector<float>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> places(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) places[order[k]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return places;
}

/// Spearman's correlation; NaN when one says the same of all.
double rank_agreement(const std::vector<float>& a, const std::vector<float>& b) {
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = static_cast<double>(x.size() - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::nan("");
}

/// What forests of some rows say of others.
class AnomalyJudge {
 public:
  AnomalyJudge(const learn::Table& table,
               double alert_ratio,
               std::uint64_t seed,
               const learn::Stop& stop)
      : table_(table), alert_ratio_(alert_ratio), seed_(seed), stop_(stop) {
    learn::Table unlabelled = table;  // the split must not look at labels
    unlabelled.labels.assign(unlabelled.rows(), 0);
    judged_.held_out = hold_out_values(unlabelled, 0, seed);
    test_ = table.chosen(judged_.held_out.test);
  }

  std::optional<JudgedAnomalies> run() {
    const auto said = said_by(judged_.held_out.train);
    if (!said) return std::nullopt;
    const auto alarms =
        std::count_if(said->begin(), said->end(), [&](float score) { return score >= line_; });
    add("alarm_ratio", static_cast<double>(alarms) / static_cast<double>(said->size()));
    std::vector<std::uint32_t> rows = judged_.held_out.train;
    Random random(seed_);
    shuffle(rows, random);
    const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
    const auto one = said_by({rows.begin(), middle}), two = said_by({middle, rows.end()});
    if (!one || !two) return std::nullopt;
    add("rank_agreement", rank_agreement(*one, *two));
    judge_by_labels(*said);
    return std::move(judged_);
  }

 private:
  void add(std::string name, double value) {
    if (std::isfinite(value)) judged_.figures.emplace_back(std::move(name), value);
  }

  std::optional<std::vector<float>> said_by(const std::vector<std::uint32_t>& rows) {
    const learn::Table part = table_.chosen(rows);
    const learn::AnomalyModel found = learn::find_anomalies(part, alert_ratio_, seed_, stop_);
    if (stop_()) return std::nullopt;
    const auto evaluator = evaluator_of(found, part);
    if (!evaluator) return std::nullopt;
    line_ = found.line;
    return scores(*evaluator, test_);
  }

  void judge_by_labels(const std::vector<float>& said) {
    const std::size_t positive = learn::positives(test_.labels);
    if (positive == 0 || positive == test_.labels.size()) return;
    add("roc_auc", learn::roc_auc(said, test_.labels));
    add("pr_auc", learn::average_precision(said, test_.labels));
    add("recall_at_alerts", learn::recall_at(said, test_.labels, alert_ratio_));
    judged_.roc = roc_curve(said, test_.labels);
    judged_.precision = precision_curve(said, test_.labels);
  }

  const learn::Table& table_;
  const double alert_ratio_;
  const std::uint64_t seed_;
  const learn::Stop& stop_;
  learn::Table test_;
  JudgedAnomalies judged_;
  float line_ = .5F;  ///< of the last forest
};

}  // namespace

std::optional<JudgedAnomalies> judge_anomalies(const learn::Table& table,
                                               double alert_ratio,
                                               std::uint64_t seed,
                                               const learn::Stop& stop) {
  return AnomalyJudge(table, alert_ratio, seed, stop).run();
}

Asked<learn::TrainedModel> train_clusters(const Rows& rows,
                                          const BuiltinOptions& options,
                                          const Telling& telling) {
  if (auto wrong = unfit(rows, options)) return tl::unexpected(std::move(*wrong));
  learn::ClusterOptions how;
  how.seed = options.request.seed;
  const learn::Clustering found = learn::find_clusters(rows.table, how, telling.cancelled);
  if (telling.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
  learn::TrainedModel made;
  models::Metadata& metadata = made.model.metadata;
  describe_run(rows, options, models::Task::kClustering, metadata);
  for (std::size_t k = 0; k < found.clusters.size(); ++k)
    metadata.facts.emplace_back("cluster." + std::to_string(k), found.clusters[k].words);
  made.model.predictor = found.model;
  made.fingerprint = fingerprint_of(rows.table);
  made.leaderboard.push_back({"k-means, 1 cluster", 1, 1, 0});
  for (std::size_t k = 0; k < found.strengths.size(); ++k)
    made.leaderboard.push_back(
        {fmt::format("k-means, {} clusters", k + 2), found.strengths[k], 1, 0});
  const double strength = found.model.clusters > 1 ? found.strengths[found.model.clusters - 2] : 1;
  made.metrics = {{"clusters", found.model.clusters}, {"prediction_strength", strength}};
  const bool several = found.found && found.model.clusters > 1;
  made.better = several && !options.champion;
  made.reasons.push_back(
      several ? fmt::format("{} groups are found again by {} of {} halves of the rows",
                            found.model.clusters,
                            found.again.agreeing,
                            found.again.halves)
              : "no two groups are found again in other rows: all are one");
  if (options.champion)
    made.reasons.emplace_back("which of two groupings is better is for a person to say");
  HeldOut halves;
  halves.how = "none: groups are those of all rows, told by how well random halves find them again";
  halves.train.resize(rows.table.rows());
  std::iota(halves.train.begin(), halves.train.end(), 0U);
  RunReport report;
  report.rows = &rows;
  report.held_out = &halves;
  report.figures = learn::kNoFigures;
  report.gate.promote = made.better;
  report.gate.reasons = made.reasons;
  made.report = report_json(options.request, report, made.leaderboard);
  return made;
}

Asked<learn::TrainedModel> train_anomalies(const Rows& rows,
                                           const BuiltinOptions& options,
                                           const Telling& telling) {
  if (auto wrong = unfit(rows, options)) return tl::unexpected(std::move(*wrong));
  auto judged =
      judge_anomalies(rows.table, learn::kAlertRatio, options.request.seed, telling.cancelled);
  if (!judged) return refusal(ErrorCode::kUnavailable, "cancelled");
  telling.tell(.8, {});
  learn::AnomalyModel found = learn::find_anomalies(
      rows.table, learn::kAlertRatio, options.request.seed, telling.cancelled);
  if (telling.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
  const auto evaluator = evaluator_of(found, rows.table);
  if (!evaluator) return refusal(ErrorCode::kUnsupported, "the forest cannot be evaluated");
  learn::TrainedModel made;
  describe_run(rows, options, models::Task::kAnomaly, made.model.metadata);
  made.model.metadata.line = found.line;
  made.model.predictor = std::move(found.forest);
  made.fingerprint = fingerprint_of(rows.table);
  made.leaderboard.push_back({"isolation forest, 100 trees of 256 rows", 0, 1, 0});
  const learn::Table test = rows.table.chosen(judged->held_out.test);
  RunReport report;
  report.rows = &rows;
  report.held_out = &judged->held_out;
  report.figures = learn::kNoFigures;
  report.more = judged->figures;
  report.roc = judged->roc;
  report.precision = judged->precision;
  report.served = "What answers is a forest of all rows, its line at the strangest 1 % of them";
  report.latency_us = latency_us(*evaluator, test);
  report.memory_bytes = static_cast<double>(evaluator->memory_bytes());
  const bool labelled = !report.roc.empty();
  made.reasons.push_back(fmt::format(
      "it was learnt without labels{}: let it run in shadow, judge its alarms, and load it if they "
      "are right",
      labelled ? ", those that are known only judged it" : ", so nothing says that it is better"));
  made.metrics = report.more;
  made.metrics.emplace_back("us_a_row", report.latency_us);
  made.metrics.emplace_back("memory_bytes", report.memory_bytes);
  made.metrics.emplace_back("held_out_rows", static_cast<double>(test.rows()));
  report.gate.reasons = made.reasons;
  made.report = report_json(options.request, report, made.leaderboard);
  return made;
}

}  // namespace liminal::training
