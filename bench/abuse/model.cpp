#include "model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "core/engine/local_engine.hpp"
#include "core/learn/search.hpp"
#include "io/xgboost/trainer.hpp"
#include "score.hpp"

namespace liminal::bench {
namespace {

using engine::Champion;

constexpr Duration kBegin = std::chrono::hours{24 * 365 * 50};

/// Gives a trace to the engine; `each` sees what every event brought about.
void play(const Trace& trace,
          const detect::Options& detect,
          std::shared_ptr<const Champion> champion,
          const std::function<void(const TraceEvent&, const engine::Effects&)>& each) {
  engine::Options options;
  options.detect = detect;
  engine::LocalEngine engine(options);
  engine::Effects effects;
  engine.use(std::move(champion), effects);
  for (const TraceEvent& event : trace) {
    effects.clear();
    engine.feed(abuse::EngineEvent(event, kBegin).get(), effects);
    each(event, effects);
  }
}

std::vector<std::string> feature_names() {
  std::vector<std::string> names;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    names.emplace_back(feature.name);
  return names;
}

enum class Truth { kOrdinary, kAbuse, kAftermath };

Truth truth(std::span<const Injection> injections, const TraceEvent& event) {
  Truth found = Truth::kOrdinary;
  for (const Injection& injection : injections) {
    const auto& users = injection.users;
    if (std::find(users.begin(), users.end(), event.user) == users.end()) continue;
    if (event.t >= injection.from && event.t <= injection.to) return Truth::kAbuse;
    if (event.t > injection.to) found = Truth::kAftermath;
  }
  return found;
}

/// The least line with no more than `most` negatives at or above it, and at least one half.
float line_for(const learn::Trained& trained, std::span<const float> labels, std::size_t most) {
  std::vector<float> negatives;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < .5F) negatives.push_back(trained.scores[i]);
  std::sort(negatives.begin(), negatives.end(), std::greater<>());
  const float highest_allowed = most < negatives.size() ? negatives[most] : 0.F;
  return std::min(std::max(.5F, std::nextafter(highest_allowed, 2.F)), .9999F);
}

}  // namespace

Lessons::Lessons() {
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    table_.features.push_back({std::string(feature.name), std::string(feature.unit), {}});
}

void Lessons::add(const Trace& trace,
                  std::span<const Injection> injections,
                  const detect::Options& options,
                  std::uint64_t group) {
  std::vector<float> asked;
  const auto note = *Champion::foreign(
      {.version = 1}, feature_names(), [&](std::span<const float> rows, std::span<float> out) {
        asked.assign(rows.begin(), rows.end());
        std::fill(out.begin(), out.end(), 0.F);
        return true;
      });
  play(trace, options, note, [&](const TraceEvent& event, const engine::Effects&) {
    if (asked.empty()) return;
    const Truth is = truth(injections, event);
    if (is != Truth::kAftermath) {
      table_.values.insert(table_.values.end(), asked.begin(), asked.end());
      table_.labels.push_back(is == Truth::kAbuse ? 1.F : 0.F);
      table_.groups.push_back(group);
    }
    asked.clear();
  });
  user_hours_ += hours_of_users(trace);
}

Lesson train(const Lessons& lessons, std::uint32_t fits, double false_per_1000_hours) {
  learn::SearchOptions options;
  options.objective = learn::Objective::kAveragePrecision;
  options.fits_max = fits;
  options.workers = 1;
  learn::Search search(lessons.table(), learn::Loss{}, options);
  xgboost::Trainer booster;
  while (!search.done()) {
    if (auto job = search.next(0))
      search.told(
          job->id, learn::run_fit(search.material(), *job, booster, [] { return false; }), 0, 0);
  }
  const Result<learn::Outcome> outcome = search.finish();
  if (!outcome || !outcome->champion) return {nullptr, "nothing could be trained\n"};
  const learn::Trained& champion = *outcome->champion;
  const double share =
      static_cast<double>(outcome->rows.size()) / static_cast<double>(lessons.table().rows());
  const auto most =
      static_cast<std::size_t>(false_per_1000_hours * lessons.user_hours() * share / 1000);
  models::Model model;
  model.predictor = champion.predictor;
  model.metadata.name = "anomaly_detection";
  model.metadata.task = models::Task::kClassification;
  model.metadata.schema = traffic::schema_hash();
  model.metadata.line = line_for(champion, outcome->labels, most);
  for (const learn::Feature& feature : lessons.table().features)
    model.metadata.features.push_back({feature.name, feature.unit});
  const auto positives =
      std::count(lessons.table().labels.begin(), lessons.table().labels.end(), 1.F);
  std::string words = fmt::format(
      "{} rows, {} of abuse; held out by trace: PR-AUC {:.3f}, ROC-AUC {:.3f}, Brier {:.4f}; "
      "{:.2f} "
      "us a row; line {:.4f}\n",
      lessons.table().rows(),
      positives,
      champion.figures.pr_auc,
      champion.figures.roc_auc,
      champion.figures.brier,
      champion.cost.us_row,
      model.metadata.line);
  auto made = Champion::create(std::move(model), 1, {});
  if (!made) return {nullptr, "the model cannot be asked\n"};
  return {*made, std::move(words)};
}

std::vector<AlertLine> judge_by_model(const Trace& trace,
                                      const detect::Options& options,
                                      std::shared_ptr<const Champion> model) {
  std::vector<AlertLine> alerts;
  play(trace, options, std::move(model), [&](const TraceEvent& event, const engine::Effects& made) {
    for (const engine::AlertChange& change : made.alerts) {
      const traffic::Alert& alert = change.alert;
      if (change.kind != engine::AlertChange::Kind::kRaised ||
          alert.type != traffic::FindingType::kModelAnomaly)
        continue;
      alerts.push_back({event.t,
                        alert.user,
                        std::string(traffic::info(alert.type).name),
                        std::string(traffic::name(alert.first.detector)),
                        alert.first.score,
                        traffic::explanation(alert.first)});
    }
  });
  return alerts;
}

}  // namespace liminal::bench
