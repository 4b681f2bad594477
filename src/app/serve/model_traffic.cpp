// What models learn from and are watched by: the traffic that was kept, and that which passes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/serve/model_keeper.hpp"
#include "core/base/hash.hpp"
#include "server/training/foretold.hpp"
#include "server/training/incidents.hpp"
#include "server/training/ranking.hpp"

namespace liminal::app {
namespace {

using learn::Asked;
using learn::refusal;

constexpr std::size_t kRowsMax = 200'000;
constexpr std::size_t kAlertsMax = 50'000;
constexpr std::size_t kMinutesMax = 60 * 24 * 30;
constexpr std::size_t kRecentMinutes = 60 * 24;
constexpr std::int64_t kMinutesKept = 60 * 24 * 90;
/// Minutes that passed between two looks and share what came: more is no count but a pause.
constexpr std::int64_t kMinutesShared = 60;

std::optional<double> mean_of(const std::vector<traffic::FeatureRow>& rows,
                              traffic::FeatureId feature,
                              std::int64_t minute) {
  double sum = 0, count = 0;
  for (const traffic::FeatureRow& row : rows) {
    if (nanoseconds(row.time) / 60'000'000'000 != minute) continue;
    sum += static_cast<double>(row.features[feature]);
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

}  // namespace

Asked<std::vector<traffic::Alert>> ModelKeeper::alerts_since(SteadyTime oldest) {
  auto alerts = parts_.store.alerts(
      {.limit = kAlertsMax, .min_severity = traffic::Severity::kLow, .since = oldest});
  if (!alerts) return refusal(ErrorCode::kUnavailable, "the store cannot be read");
  return std::move(*alerts);
}

Asked<training::Rows> ModelKeeper::minute_rows(const learn::ModelDefinition& definition,
                                               const learn::TrainRequest& request) {
  const bool recent = request.source == learn::DataSource::kRecentFeatures;
  auto minutes = registry_->with_records([&](registry::Records& records) {
    return records.minutes(recent ? kRecentMinutes : kMinutesMax);
  });
  if (!minutes) return refusal(ErrorCode::kUnavailable, "the minutes cannot be read");
  std::size_t spoilt = 0;
  if (request.leave_out_incidents && !minutes->empty()) {
    const auto alerts = alerts_since(SteadyTime{std::chrono::minutes{minutes->front().minute}});
    if (!alerts) return tl::unexpected(alerts.error());
    spoilt = training::leave_out_incidents(*minutes, *alerts);
  }
  training::Rows rows = training::load_rows(definition, *minutes);
  if (spoilt > 0)
    rows.notes.push_back(fmt::format("{} minutes of confirmed alerts are left out", spoilt));
  return rows;
}

Asked<training::Rows> ModelKeeper::kept_rows(const learn::ModelDefinition& definition,
                                             const learn::TrainRequest& request) {
  if (definition.name == learn::kLoadPrediction) return minute_rows(definition, request);
  if (definition.name == training::kSalienceRanking)
    return training::ranking_rows(parts_.judged_alerts());
  if (auto refused = training::not_of_users(definition)) return tl::unexpected(std::move(*refused));
  std::vector<traffic::FeatureRow> rows;
  if (request.source == learn::DataSource::kRecentFeatures) {
    rows = parts_.recent(kRowsMax);
  } else {
    auto stored = parts_.store.feature_rows({.limit = kRowsMax});
    if (!stored) return refusal(ErrorCode::kUnavailable, "the store cannot be read");
    rows = std::move(*stored);
  }
  SteadyTime oldest = parts_.clock.now();
  for (const traffic::FeatureRow& row : rows) oldest = std::min(oldest, row.time);
  const auto alerts = alerts_since(oldest);
  if (!alerts) return tl::unexpected(alerts.error());
  return training::users_rows(definition, request, std::move(rows), *alerts);
}

/// What passes by is scored by both versions of an experiment, as what is asked for, and compared
/// with what champions were trained on.
void ModelKeeper::observe_traffic() {
  const std::string compared(learn::kAnomalyDetection);
  std::vector<const learn::ModelDefinition*> asked;
  for (const learn::ModelDefinition& definition : definitions_) {
    const bool experiment = definition.name == compared && experiments_.runs(compared);
    if (training::of_users(definition) && (experiment || learning_->watches(definition.name)))
      asked.push_back(&definition);
  }
  SteadyTime newest = observed_;
  for (const traffic::FeatureRow& row :
       asked.empty() ? std::vector<traffic::FeatureRow>{} : parts_.recent(kRowsMax)) {
    if (row.time <= observed_) continue;
    newest = std::max(newest, row.time);
    for (const learn::ModelDefinition* definition : asked) {
      const std::vector<float> values = training::user_row(*definition, row.features);
      if (definition->name == compared) experiments_.observe(compared, values, row.user);
      learning_->observe(definition->name, values, hash64(row.user), row.time);
    }
  }
  observed_ = newest;
  experiments_.second();
  learning_->second();
}

std::optional<learn::LoadForecast> ModelKeeper::load_forecast() const {
  const auto champion = registry_->champion(std::string(learn::kLoadPrediction));
  if (!champion) return std::nullopt;
  const std::lock_guard lock(foretold_mutex_);
  if (!foretold_ || foretold_->version != champion->version) return std::nullopt;
  // What was said before a pause is not said of now.
  const bool past = foretold_->time + std::chrono::minutes{1} < parts_.clock.now();
  return past ? std::nullopt : foretold_;
}

std::optional<learn::UserGroup> ModelKeeper::group_of(const traffic::Features& features) const {
  const std::string model(learn::kUserBehavior);
  const auto champion = registry_->champion(model);
  if (!champion) return std::nullopt;
  return training::group_of(
      *registry_->definition(model), *champion->scorer, champion->version, features);
}

void ModelKeeper::foretell(const learn::MinuteTotal& total) {
  const std::string model(learn::kLoadPrediction);
  std::optional<learn::LoadForecast> said;
  if (const auto champion = registry_->champion(model))
    said = training::load_after(
        *registry_->definition(model), *champion->scorer, champion->version, total);
  const std::lock_guard lock(foretold_mutex_);
  foretold_ = std::move(said);
}

/// A foreign champion is waited for where that holds up nothing but other foreign models.
void ModelKeeper::foretell_from_newest() {
  std::optional<learn::MinuteTotal> newest;
  {
    const std::lock_guard lock(foretold_mutex_);
    newest = std::exchange(newest_minute_, std::nullopt);
  }
  if (!newest) return;
  const auto champion = registry_->champion(std::string(learn::kLoadPrediction));
  const bool foreign = champion && champion->scorer->evaluator() == nullptr;
  const auto& thread = foreign ? foreign_ : work_;
  if (thread) (void)thread->run([this, total = *newest] { foretell(total); });
}

/// The newest minute, and the one whose truth came.
void ModelKeeper::observe_minute() {
  const std::string model(learn::kLoadPrediction);
  if (!learning_->watches(model) && !experiments_.runs(model)) return;
  const auto minutes = registry_->with_records([](registry::Records& records) {
    return records.minutes(static_cast<std::size_t>(training::kLoadHorizonMinutes) + 1);
  });
  if (!minutes || minutes->empty()) return;
  const learn::ModelDefinition& definition = *registry_->definition(model);
  const auto told = training::load_rows(definition, *minutes);
  if (told.table.rows() == 1) {
    learning_->observe_truth(model, told.table.row(0), told.table.labels[0]);
    experiments_.observe_truth(model, told.table.row(0), double{told.table.labels[0]}, "");
  }
  learning_->observe(model,
                     training::minute_row(definition, minutes->back()),
                     0,
                     SteadyTime{std::chrono::minutes{minutes->back().minute}});
}

void ModelKeeper::second(SteadyTime now, std::uint64_t messages) {
  if (work_) (void)work_->run([this] { observe_traffic(); });
  foretell_from_newest();
  const std::int64_t minute = nanoseconds(now) / 60'000'000'000;
  if (!minute_) {
    // What came before this minute's first look belongs to nobody knows which minute.
    minute_ = minute;
    messages_before_ = messages;
    return;
  }
  if (minute <= *minute_) return;
  const std::int64_t first = std::exchange(minute_, minute).value_or(minute);
  const std::uint64_t came =
      messages - std::min(std::exchange(messages_before_, messages), messages);
  if (minute - first > kMinutesShared || !work_) return;
  (void)work_->run([this, first, minute, came] { keep_minutes(first, minute - first, came); });
}

void ModelKeeper::keep_minutes(std::int64_t first, std::int64_t count, std::uint64_t messages) {
  const auto rows = parts_.recent(kRowsMax);
  for (std::int64_t i = 0; i < count; ++i) {
    learn::MinuteTotal total;
    total.minute = first + i;
    const auto parts = static_cast<std::uint64_t>(count), at = static_cast<std::uint64_t>(i);
    total.messages = messages * (at + 1) / parts - messages * at / parts;
    total.connection_duration =
        mean_of(rows, traffic::FeatureId::kConnectionDuration, total.minute);
    total.channels_count = mean_of(rows, traffic::FeatureId::kChannelsCount, total.minute);
    const auto kept = registry_->with_records([&](registry::Records& records) {
      if (total.minute % 60 == 0) (void)records.forget_minutes(total.minute - kMinutesKept);
      return records.add(total);
    });
    if (!kept) {
      static LogSite site;
      parts_.log.write(LogLevel::kError,
                       site,
                       "model.minutes",
                       {{"error", std::string(name(kept.error().code))}});
      return;
    }
    observe_minute();
    const std::lock_guard lock(foretold_mutex_);
    newest_minute_ = total;
  }
}

}  // namespace liminal::app
