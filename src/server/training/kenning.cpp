#include "server/training/kenning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/learn/metrics.hpp"
#include "io/kenning/job.hpp"
#include "io/kenning/prepare.hpp"
#include "io/kenning/process_group.hpp"
#include "io/onnx/front.hpp"
#include "server/training/held_out.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using learn::refusal;

constexpr double kMinute_s = 60;

kenning::Series series_of(const learn::Table& table) {
  kenning::Series series;
  for (const learn::Feature& feature : table.features) series.features.push_back(feature.name);
  series.values = table.values;
  for (const float label : table.labels) series.labels.push_back(learn::is_positive(label) ? 1 : 0);
  return series;
}

/// A row of ordinary values as JSON: means, and what never changes as it is.
std::string usual_of(const learn::Table& table, const kenning::Prepared& prepared) {
  std::vector<float> row(table.features.size());
  for (std::size_t f = 0; f < row.size(); ++f)
    for (std::size_t i = 0; i < table.rows() && row[f] == 0; ++i)
      if (std::isfinite(table.row(i)[f])) row[f] = table.row(i)[f];
  for (std::size_t i = 0; i < prepared.columns.size(); ++i)
    row[static_cast<std::size_t>(prepared.columns[i])] = prepared.mean[i];
  return fmt::format("[{}]", fmt::join(row, ","));
}

std::vector<float> scores(const AnswerRows& answer, const learn::Table& table) {
  std::vector<models::Prediction> said(table.rows());
  if (!answer(table.values, said)) return {};
  std::vector<float> found;
  for (const models::Prediction& prediction : said)
    found.push_back(static_cast<float>(prediction.score));
  return found;
}

/// Of one row asked alone; the fastest of rounds, as others were disturbed.
double latency_us(const AnswerRows& answer, const learn::Table& table) {
  using Steady = std::chrono::steady_clock;
  const std::size_t rows = std::min<std::size_t>(table.rows(), 50);
  double least = INFINITY;
  models::Prediction said;
  for (int round = 0; round < 20; ++round) {
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < rows; ++i) (void)answer(table.row(i), {&said, 1});
    least = std::min(least,
                     std::chrono::duration<double, std::micro>(Steady::now() - begun).count() /
                         static_cast<double>(rows));
  }
  return least;
}

/// One training by Kenning, from rows to the best model that came and its figures.
class KenningTraining {
 public:
  KenningTraining(const Rows& rows, const KenningOptions& options, const Telling& telling)
      : rows_(rows), options_(options), telling_(telling) {}

  Asked<KenningModel> run() {
    if (auto few = too_few(options_.definition, rows_)) return tl::unexpected(std::move(*few));
    const Problems problems = rows_.table.validate(true, true);
    if (!problems.empty())
      return refusal(ErrorCode::kConflict, "the rows' " + problems[0].key + " " + problems[0].text);
    const HeldOut parts = hold_out_classes(rows_.table, options_.request.seed);
    train_ = rows_.table.chosen(parts.train);
    best_.notes = rows_.notes;
    best_.notes.push_back("held out: " + parts.how);
    auto found = search();
    if (!found) return tl::unexpected(found.error());
    for (const kenning::Candidate& candidate : found->candidates) consider(candidate);
    if (!answer_)
      return refusal(ErrorCode::kUnavailable,
                     fmt::format("none of the models that Kenning found can be used: {}",
                                 fmt::join(refused_, "; ")));
    note(*found);
    return judge(rows_.table.chosen(parts.test));
  }

 private:
  Asked<kenning::Found> search() {
    prepared_ = kenning::prepare(series_of(train_));
    kenning::JobOptions job;
    job.program = options_.program;
    job.folder = options_.folder;
    job.scenario.minutes = static_cast<std::uint32_t>(options_.request.budget_s / kMinute_s);
    job.scenario.seed = static_cast<std::uint32_t>(options_.request.seed);
    auto found = kenning::run(prepared_.series, job, {telling_.cancelled, [this](double progress) {
                                                        telling_.tell(.9 * progress, {});
                                                      }});
    if (!found) return refusal(code_of(found.error().kind), found.error().text);
    return std::move(*found);
  }

  static ErrorCode code_of(kenning::Failure::Kind kind) {
    using Kind = kenning::Failure::Kind;
    if (kind == Kind::kAbsent || kind == Kind::kRows) return ErrorCode::kConflict;
    return kind == Kind::kScenario ? ErrorCode::kOutOfRange : ErrorCode::kUnavailable;
  }

  [[nodiscard]] models::Metadata metadata_of(const kenning::Candidate& candidate) const {
    models::Metadata metadata;
    metadata.name = options_.definition.name;
    metadata.task = models::Task::kClassification;
    metadata.trainer = "kenning";
    for (const learn::Feature& feature : train_.features)
      metadata.features.push_back({feature.name, feature.unit});
    metadata.facts = {{"answers", "decisions"},
                      {"rows", std::to_string(train_.rows())},
                      {"seed", std::to_string(options_.request.seed)},
                      {"kenning.model", std::to_string(candidate.number)},
                      {"usual", usual_of(train_, prepared_)}};
    return metadata;
  }

  /// Takes the candidate when it is better than those before it.
  void consider(const kenning::Candidate& candidate) {
    const std::string name = kenning::model_file(candidate.number);
    auto file = onnx::with_front(
        candidate.bytes,
        {train_.features.size(), prepared_.columns, prepared_.mean, prepared_.deviation});
    if (!file) return refused_.push_back(name + ": " + file.error().text);
    auto answer = options_.open(*file);
    if (!answer) return refused_.push_back(name + ": " + answer.error().text);
    const std::vector<float> said = scores(*answer, train_);
    if (said.empty()) return refused_.push_back(name + ": it cannot answer");
    const double f1 = decisions_of(said, train_.labels).f1;
    best_.leaderboard.push_back({"kenning " + name, f1, 1, 0});
    if (answer_ && !(f1 > best_f1_)) return;
    best_f1_ = f1;
    answer_ = std::move(*answer);
    best_.metadata = metadata_of(candidate);
    best_.file = std::move(*file);
  }

  Asked<KenningModel> judge(const learn::Table& test) {
    const std::vector<float> said = scores(answer_, test);
    if (said.empty()) return refusal(ErrorCode::kUnavailable, "the model does not answer");
    learn::GateInput input;
    input.challenger = said;
    input.labels = test.labels;
    input.latency_us = latency_us(answer_, test);
    // What somebody else takes is not known: at least the file.
    input.memory_bytes = static_cast<double>(best_.file.size());
    input.seed = options_.request.seed;
    best_.gate = learn::judge_classifier(input, options_.gate);
    best_.fingerprint = fingerprint_of(rows_.table);
    const Decisions decided = decisions_of(said, test.labels);
    for (const auto& [name, value] : {std::pair{"precision", decided.precision},
                                      std::pair{"recall", decided.recall},
                                      std::pair{"f1", decided.f1},
                                      std::pair{"roc_auc", learn::roc_auc(said, test.labels)},
                                      std::pair{"us_a_row", input.latency_us},
                                      std::pair{"held_out_rows", static_cast<double>(said.size())}})
      if (std::isfinite(value)) best_.metrics.emplace_back(name, value);
    if (telling_.cancelled()) return refusal(ErrorCode::kUnavailable, "cancelled");
    return std::move(best_);
  }

  void note(const kenning::Found& found) {
    std::vector<std::string>& notes = best_.notes;
    if (!train_.weights.empty())
      notes.emplace_back("Kenning takes no weights: all labels count alike");
    if (!prepared_.left_out.empty())
      notes.push_back(fmt::format("features that never change are left out: {}",
                                  fmt::join(prepared_.left_out, ", ")));
    if (const auto& said = found.statistics)
      notes.push_back(
          fmt::format("Kenning tried {} models, trained {}, evaluated {}; {} crashed, {} "
                      "ran out of time",
                      said->generated,
                      said->successful,
                      said->evaluated,
                      said->crashed,
                      said->timed_out));
    notes.push_back(
        fmt::format("{} came, of which the best F1 on the rows that it had was taken; exit "
                    "code {}{}",
                    found.candidates.size(),
                    found.exit_code,
                    found.out_of_time ? ", ended after its time" : ""));
    for (const std::string& text : refused_) notes.push_back("not used: " + text);
  }

  const Rows& rows_;
  const KenningOptions& options_;
  const Telling& telling_;
  learn::Table train_;
  kenning::Prepared prepared_;
  KenningModel best_;
  AnswerRows answer_;
  double best_f1_ = 0;
  std::vector<std::string> refused_;
};

}  // namespace

Decisions decisions_of(std::span<const float> scores, std::span<const float> labels) {
  double flagged = 0, right = 0, positives = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool flag = scores[i] >= .5F, positive = learn::is_positive(labels[i]);
    flagged += flag ? 1 : 0;
    positives += positive ? 1 : 0;
    right += flag && positive ? 1 : 0;
  }
  return {right / flagged, right / positives, 2 * right / (flagged + positives)};
}

std::optional<learn::Refusal> kenning_refusal(const learn::ModelDefinition& definition,
                                              const learn::TrainRequest& request,
                                              const std::string& program) {
  if (program.empty())
    return learn::Refusal{
        ErrorCode::kConflict,
        "Kenning is not configured: install it as docs/kenning.md says and say which "
        "program it is"};
  if (!kenning::find_program(program))
    return learn::Refusal{ErrorCode::kConflict,
                          "there is no program \"" + program +
                              "\" for Kenning: docs/kenning.md says how to install it"};
  Problems problems;
  if (definition.task != models::Task::kClassification)
    problems.push_back({"trainer", "kenning is for models of the task classification"});
  if (request.fits_max > 0)
    problems.push_back({"fits_max", "is for builtin: kenning counts its budget in minutes"});
  if (request.budget_s < kMinute_s)
    problems.push_back({"time_budget_s", "must be at least 60 for kenning: it counts minutes"});
  if (problems.empty()) return std::nullopt;
  return learn::Refusal{ErrorCode::kOutOfRange, "", std::move(problems)};
}

Asked<KenningModel> train_kenning(const Rows& rows,
                                  const KenningOptions& options,
                                  const Telling& telling) {
  if (auto refused = kenning_refusal(options.definition, options.request, options.program))
    return tl::unexpected(std::move(*refused));
  return KenningTraining(rows, options, telling).run();
}

}  // namespace liminal::training
