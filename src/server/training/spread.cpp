#include "server/training/spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/xgboost/trainer.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using learn::refusal;

constexpr std::uint64_t kSampleRows = 400'000;
/// A tree of six levels takes a row some 20 ns where all of it is in the cache.
constexpr double kRoundsPerMicrosecond = 40;
constexpr double kRoundsMost = 500;

SpreadWish wish_of(std::vector<std::string> files,
                   std::uint64_t bytes_max,
                   const BuiltinOptions& options) {
  SpreadWish wish;
  wish.files = std::move(files);
  wish.definition = options.definition;
  wish.workers = options.request.workers;
  const std::uint64_t row_bytes = sizeof(float) * options.definition.features.size();
  wish.sample_rows = std::min(kSampleRows, bytes_max / row_bytes);
  wish.rounds_max = static_cast<std::uint32_t>(
      std::clamp(kRoundsPerMicrosecond * options.gate.latency_us_max, 1., kRoundsMost));
  wish.budget_s = options.request.budget_s;
  wish.seed = options.request.seed;
  return wish;
}

std::vector<std::string> notes_of(const SpreadWish& wish, const SpreadSample& sample) {
  std::vector<std::string> notes;
  notes.push_back(fmt::format("{} rows of {} files", sample.rows, wish.files.size()));
  if (wish.definition.task == models::Task::kClassification)
    notes.push_back(fmt::format("{} of them are positive", sample.positives));
  if (sample.left_out > 0)
    notes.push_back(
        fmt::format("{} rows without {} are left out", sample.left_out, wish.definition.target));
  notes.insert(notes.end(), sample.notes.begin(), sample.notes.end());
  if (sample.table.rows() < sample.rows)
    notes.push_back(fmt::format(
        "{} of the rows, drawn by chance, part them and judge; all others that learn are learnt "
        "from",
        sample.table.rows()));
  return notes;
}

models::Model model_from(const SpreadWish& wish,
                         const learn::Table& columns,
                         const SpreadFit& fit,
                         models::Trees trees) {
  models::Model model;
  models::Metadata& metadata = model.metadata;
  metadata.name = wish.definition.name;
  metadata.task = wish.definition.task;
  metadata.trainer = "ray";
  describe(columns, metadata);
  metadata.facts.emplace_back("target", wish.definition.target);
  if (wish.definition.task == models::Task::kClassification)
    metadata.facts.emplace_back("classes", R"(["0","1"])");
  metadata.facts.emplace_back("rows", std::to_string(fit.rows));
  metadata.facts.emplace_back("seed", std::to_string(wish.seed));
  metadata.facts.emplace_back("recipe", fit.recipe);
  model.predictor = std::move(trees);
  return model;
}

Asked<Elsewhere> elsewhere(const SpreadWish& wish, const learn::Table& columns, SpreadFit fit) {
  auto trees = xgboost::read_trees(fit.booster, 0);
  if (!trees)
    return refusal(ErrorCode::kUnsupported, "what XGBoost grew there is not understood here");
  Elsewhere made;
  made.made.model = model_from(wish, columns, fit, std::move(*trees));
  auto scorer = models::Scorer::own(made.made.model);
  if (!scorer)
    return refusal(ErrorCode::kUnsupported, scorer.error()[0].key + " " + scorer.error()[0].text);
  made.scorer = std::move(*scorer);
  made.learnt_more = true;
  made.made.leaderboard = {{fit.recipe, fit.score, 1, fit.took_s}};
  made.notes = std::move(fit.notes);
  made.notes.insert(made.notes.begin(),
                    fmt::format("{} rows were learnt from by {} workers in {} rounds",
                                fit.rows,
                                fit.workers,
                                fit.rounds));
  return made;
}

}  // namespace

Asked<learn::TrainedModel> train_spread(std::vector<std::string> files,
                                        std::uint64_t bytes_max,
                                        const BuiltinOptions& options,
                                        const BeginSpread& begin,
                                        const Telling& telling) {
  const SpreadWish wish = wish_of(std::move(files), bytes_max, options);
  const std::unique_ptr<Spread> spread = begin(wish);
  auto sample = spread->sample(telling);
  if (!sample) return tl::unexpected(std::move(sample.error()));
  Rows rows;
  rows.notes = notes_of(wish, *sample);
  rows.table = std::move(sample->table);
  return train_elsewhere(
      std::move(rows),
      options,
      [&](const learn::Table& train, const HeldOut& held_out) -> Asked<Elsewhere> {
        if (!held_out.parting)
          return refusal(ErrorCode::kConflict,
                         "too few rows judge: neither users nor times nor values part them");
        auto fit = spread->grow(*held_out.parting, telling);
        if (!fit) return tl::unexpected(std::move(fit.error()));
        return elsewhere(wish, train, std::move(*fit));
      },
      telling);
}

}  // namespace liminal::training
