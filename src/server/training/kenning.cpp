#include "server/training/kenning.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/learn/metrics.hpp"
#include "io/kenning/job.hpp"
#include "io/kenning/prepare.hpp"
#include "io/kenning/process_group.hpp"
#include "io/onnx/front.hpp"
#include "server/training/asked.hpp"
#include "server/training/ranking.hpp"

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

/// One training by Kenning, from a table to the best model that came.
class KenningTraining {
 public:
  KenningTraining(const learn::Table& table,
                  const BuiltinOptions& options,
                  const KenningOptions& kenning,
                  const Telling& telling)
      : table_(table), options_(options), kenning_(kenning), telling_(telling) {}

  Asked<Elsewhere> run() {
    prepared_ = kenning::prepare(series_of(table_));
    kenning::JobOptions job;
    job.program = kenning_.program;
    job.folder = kenning_.folder;
    job.scenario.minutes = static_cast<std::uint32_t>(options_.request.budget_s / kMinute_s);
    job.scenario.seed = static_cast<std::uint32_t>(options_.request.seed);
    const auto found =
        kenning::run(prepared_.series, job, {telling_.cancelled, [this](double progress) {
                                               telling_.tell(.9 * progress, {});
                                             }});
    if (!found) return refusal(code_of(found.error().kind), found.error().text);
    for (const kenning::Candidate& candidate : found->candidates) consider(candidate);
    if (!best_.scorer)
      return refusal(ErrorCode::kUnavailable,
                     fmt::format("none of the models that Kenning found can be used: {}",
                                 fmt::join(refused_, "; ")));
    note(*found);
    return std::move(best_);
  }

 private:
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
    for (const learn::Feature& feature : table_.features)
      metadata.features.push_back({feature.name, feature.unit});
    metadata.facts = {{"answers", "decisions"},
                      {"rows", std::to_string(table_.rows())},
                      {"seed", std::to_string(options_.request.seed)},
                      {"kenning.model", std::to_string(candidate.number)},
                      {"usual", usual_of(table_, prepared_)}};
    return metadata;
  }

  /// Takes the candidate when it is better than those before it.
  void consider(const kenning::Candidate& candidate) {
    const std::string name = kenning::model_file(candidate.number);
    auto file = onnx::with_front(
        candidate.bytes,
        {table_.features.size(), prepared_.columns, prepared_.mean, prepared_.deviation});
    if (!file) return refused_.push_back(name + ": " + file.error().text);
    models::Metadata metadata = metadata_of(candidate);
    auto scorer = kenning_.open(*file, metadata);
    if (!scorer) return refused_.push_back(name + ": " + scorer.error().text);
    const std::vector<float> said = scores(**scorer, table_);
    if (said.empty()) return refused_.push_back(name + ": it cannot answer");
    const double f1 = decisions_of(said, table_.labels).f1;
    board_.push_back({"kenning " + name, f1, 1, 0});
    if (best_.scorer && !(f1 > best_f1_)) return;
    best_f1_ = f1;
    best_.scorer = std::move(*scorer);
    best_.made.model.metadata = std::move(metadata);
    best_.made.foreign = std::move(*file);
  }

  void note(const kenning::Found& found) {
    best_.decides = true;
    best_.made.leaderboard = board_;
    std::vector<std::string>& notes = best_.notes;
    if (!table_.weights.empty())
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

  const learn::Table& table_;
  const BuiltinOptions& options_;
  const KenningOptions& kenning_;
  const Telling& telling_;
  kenning::Prepared prepared_;
  Elsewhere best_;
  double best_f1_ = 0;
  std::vector<learn::JobLine> board_;
  std::vector<std::string> refused_;
};

}  // namespace

std::optional<learn::Refusal> kenning_refusal(const learn::ModelDefinition& definition,
                                              const learn::TrainRequest& request,
                                              const KenningOptions& kenning) {
  if (kenning.program.empty())
    return learn::Refusal{ErrorCode::kConflict,
                          "Kenning is not configured: install it as docs/kenning.md says and set "
                          "models.kenning to its program"};
  if (!kenning::find_program(kenning.program))
    return learn::Refusal{ErrorCode::kConflict,
                          "there is no program \"" + kenning.program +
                              "\" for Kenning: docs/kenning.md says how to install it"};
  Problems problems;
  if (definition.task != models::Task::kClassification || definition.name == kSalienceRanking)
    problems.push_back({"trainer", "kenning is for models of the task classification"});
  if (request.unsupervised)
    problems.push_back({"unsupervised", "is for builtin: kenning learns from labels"});
  if (request.fits_max > 0)
    problems.push_back({"fits_max", "is for builtin: kenning counts its budget in minutes"});
  if (request.budget_s < kMinute_s)
    problems.push_back({"time_budget_s", "must be at least 60 for kenning: it counts minutes"});
  if (!problems.empty()) return learn::Refusal{ErrorCode::kOutOfRange, "", std::move(problems)};
  if (kenning.ready)
    if (auto ready = kenning.ready(); !ready) return std::move(ready.error());
  return std::nullopt;
}

Asked<learn::TrainedModel> train_kenning(Rows rows,
                                         const BuiltinOptions& options,
                                         const KenningOptions& kenning,
                                         const Telling& telling) {
  if (auto refused = kenning_refusal(options.definition, options.request, kenning))
    return tl::unexpected(std::move(*refused));
  return train_elsewhere(
      std::move(rows),
      options,
      [&](const learn::Table& table, const HeldOut&) {
        return KenningTraining(table, options, kenning, telling).run();
      },
      telling);
}

}  // namespace liminal::training
