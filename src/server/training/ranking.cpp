#include "server/training/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/learn/metrics.hpp"
#include "server/training/asked.hpp"
#include "server/training/report.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using learn::refusal;
using salience::kNeutral;
using salience::kScale;
using salience::kTerms;
using salience::TermWeights;

/// Of a weight, by being kept as a float.
constexpr double kRounding = 1e-4;

std::vector<salience::JudgedTerms> judged_of(const learn::Table& table,
                                             std::span<const std::uint32_t> rows) {
  std::vector<salience::JudgedTerms> out;
  for (const std::uint32_t row : rows) {
    salience::JudgedTerms& one = out.emplace_back();
    for (std::size_t k = 0; k < kTerms; ++k) one.terms[k] = static_cast<double>(table.row(row)[k]);
    one.relevant = learn::is_positive(table.labels[row]);
  }
  return out;
}

/// σ((x − neutral)/scale): an alert's history as a judgement's log-odds.
models::Linear linear_of(const TermWeights& weights) {
  models::Linear model;
  for (std::uint32_t k = 0; k < kTerms; ++k)
    model.weights.push_back(static_cast<float>(weights.of[k] / kScale));
  model.intercept = static_cast<float>((weights.offset - kNeutral) / kScale);
  model.link = models::Link::kLogistic;
  return model;
}

models::Model model_of(const TermWeights& weights, std::size_t rows) {
  models::Model model;
  models::Metadata& metadata = model.metadata;
  metadata.name = kSalienceRanking;
  metadata.task = models::Task::kClassification;
  metadata.trainer = "builtin";
  for (const std::string_view name : salience::kTermNames)
    metadata.features.push_back({std::string(name), ""});
  metadata.facts = {{"rows", std::to_string(rows)}, {"learner", "pairwise logistic"}};
  model.predictor = linear_of(weights);
  return model;
}

}  // namespace

learn::ModelDefinition salience_ranking() {
  learn::ModelDefinition out{std::string(kSalienceRanking), models::Task::kClassification, {}, ""};
  for (const std::string_view name : salience::kTermNames) out.features.emplace_back(name);
  out.target = "relevant";
  return out;
}

Rows ranking_rows(std::span<const salience::JudgedTerms> judged) {
  Rows rows;
  for (const std::string_view name : salience::kTermNames)
    rows.table.features.push_back({std::string(name), "", {}});
  for (const salience::JudgedTerms& one : judged) {
    for (const double term : one.terms) rows.table.values.push_back(static_cast<float>(term));
    rows.table.labels.push_back(one.relevant ? 1.F : 0.F);
    rows.table.times_s.push_back(seconds(one.time.time_since_epoch()));
    rows.table.groups.push_back(one.source);
  }
  rows.judged.assign(judged.size(), 1);
  rows.notes.push_back(fmt::format("{} alerts that operators judged", judged.size()));
  return rows;
}

Asked<learn::TrainedModel> train_ranking(const Rows& rows, const BuiltinOptions& options) {
  if (auto few = too_few(options.definition, rows)) return tl::unexpected(std::move(*few));
  const Problems problems = rows.table.validate(true, true);
  if (!problems.empty())
    return refusal(ErrorCode::kConflict, "the rows' " + problems[0].key + " " + problems[0].text);
  const auto missing = [](float value) { return !std::isfinite(value); };
  if (std::any_of(rows.table.values.begin(), rows.table.values.end(), missing))
    return refusal(ErrorCode::kConflict, "a term is missing: every alert has all of them");
  const HeldOut parts = hold_out_classes(rows.table, options.request.seed);
  const TermWeights weights = salience::learn_weights(judged_of(rows.table, parts.train));
  const learn::Table test = rows.table.chosen(parts.test);

  learn::TrainedModel made;
  made.model = model_of(weights, parts.train.size());
  const auto evaluator = models::Evaluator::create(made.model);
  const auto prior = models::Evaluator::create(model_of({}, 0));
  if (!evaluator || !prior) return refusal(ErrorCode::kUnsupported, "the model cannot be computed");
  const models::Evaluator* champion = options.champion ? options.champion->evaluator() : nullptr;
  const bool comparable = champion != nullptr && champion->features() == kTerms;
  const std::vector<float> said = scores(*evaluator, test);
  const std::vector<float> before = scores(comparable ? *champion : *prior, test);
  constexpr learn::Loss kLoss{.kind = learn::Loss::Kind::kLogistic};

  RunReport report;
  report.rows = &rows;
  report.held_out = &parts;
  report.figures = learn::figures_of(said, test.labels, kLoss);
  report.champion = learn::figures_of(before, test.labels, kLoss);
  report.judged_rows = test.rows();
  report.judged_positives = learn::positives(test.labels);
  report.calibration = learn::calibration_bins(said, test.labels, 10);
  report.memory_bytes = static_cast<double>(evaluator->memory_bytes());
  learn::GateInput input;
  input.champion = before;
  input.challenger = said;
  input.labels = test.labels;
  input.memory_bytes = report.memory_bytes;
  input.seed = options.request.seed;
  learn::GateOptions gate = options.gate;
  gate.probabilities = false;  // salience is no probability of what operators say
  report.gate = learn::judge_classifier(input, gate);
  if (!comparable)
    report.gate.reasons.emplace_back("without a champion it is compared with the stated prior");
  made.better = report.gate.promote;
  made.reasons = report.gate.reasons;
  made.fingerprint = fingerprint_of(rows.table);
  made.metrics = {{"roc_auc", report.figures.roc_auc},
                  {"champion_roc_auc", report.champion->roc_auc},
                  {"held_out_rows", static_cast<double>(test.rows())}};
  made.leaderboard = {{"pairwise logistic", report.figures.roc_auc, 1, 0},
                      {comparable ? "champion" : "prior", report.champion->roc_auc, 0, 0}};
  made.report = report_json(options.request, report, made.leaderboard);
  return made;
}

Result<TermWeights> weights_of(const models::Model& model) {
  const auto* linear = std::get_if<models::Linear>(&model.predictor);
  if (linear == nullptr || linear->weights.size() != kTerms || !linear->inputs.columns.empty() ||
      linear->link != models::Link::kLogistic)
    return failure(ErrorCode::kUnsupported);
  TermWeights out;
  for (std::size_t k = 0; k < kTerms; ++k) {
    const double weight = static_cast<double>(linear->weights[k]) * kScale;
    // A bound that was met must not be missed by what a float rounds away.
    if (!(weight >= -kRounding && weight <= salience::kWeightMax + kRounding))
      return failure(ErrorCode::kOutOfRange, k);
    out.of[k] = std::clamp(weight, 0., salience::kWeightMax);
  }
  out.offset = static_cast<double>(linear->intercept) * kScale + kNeutral;
  if (!salience::validate(out).empty()) return failure(ErrorCode::kOutOfRange, kTerms);
  return out;
}

}  // namespace liminal::training
