#include "app/serve/model_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "server/training/builtin.hpp"

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

tl::unexpected<learn::Refusal> wrong(std::string field, std::string text) {
  return tl::unexpected(
      learn::Refusal{ErrorCode::kOutOfRange, "", {{std::move(field), std::move(text)}}});
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

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

std::vector<learn::ModelDefinition> model_definitions(const Configuration& configuration) {
  std::vector<learn::ModelDefinition> all = learn::first_models();
  for (const std::string& line : configuration.models.definitions)
    if (auto definition = learn::parse_definition(line)) all.push_back(std::move(*definition));
  return all;
}

tl::expected<std::unique_ptr<ModelKeeper>, std::string> ModelKeeper::open(
    const Configuration& configuration, files::FileSystem& system, const Parts& parts) {
  registry::Registry::Options options;
  options.folder = (std::filesystem::path(configuration.data) / "models").string();
  options.definitions = model_definitions(configuration);
  auto registry = registry::Registry::open(system, std::move(options), parts.clock.now());
  if (!registry) return tl::unexpected(registry.error());
  for (const std::string& trouble : (*registry)->unloaded()) {
    static LogSite site;
    parts.log.write(LogLevel::kError, site, "model.unloaded", {{"model", trouble}});
  }
  return std::unique_ptr<ModelKeeper>(new ModelKeeper(configuration, parts, std::move(*registry)));
}

ModelKeeper::ModelKeeper(const Configuration& configuration,
                         const Parts& parts,
                         std::unique_ptr<registry::Registry> registry)
    : parts_(parts),
      folder_(configuration.models.folder.empty()
                  ? (std::filesystem::path(configuration.data) / "training").string()
                  : configuration.models.folder),
      workers_(configuration.models.workers),
      registry_(std::move(registry)),
      experiments_(*registry_, [&clock = parts_.clock] { return clock.now(); }) {
  const auto ended = [&log = parts_.log](const learn::TrainingJob& job) {
    static LogSite site;
    const bool good = job.state == learn::JobState::kSucceeded;
    log.write(good ? LogLevel::kInfo : LogLevel::kWarning,
              site,
              "training.ended",
              {{"job", std::to_string(job.id)},
               {"model", job.request.model},
               {"state", std::string(learn::name(job.state))},
               {"version", std::to_string(job.version.value_or(0))},
               {"alias", job.alias ? std::string(learn::name(*job.alias)) : std::string()},
               {"why", good ? joined(job.reasons) : job.problem}});
  };
  jobs_ = std::make_unique<registry::Jobs>(
      *registry_, [&clock = parts_.clock] { return clock.now(); }, ended);
}

ModelKeeper::~ModelKeeper() { finish(); }

void ModelKeeper::finish() {
  work_.reset();
  jobs_.reset();
}

bool ModelKeeper::run(std::function<void()> work) { return work_ && work_->run(std::move(work)); }

std::vector<learn::ModelState> ModelKeeper::models() { return registry_->models(); }

Asked<std::vector<learn::AliasChange>> ModelKeeper::history(const std::string& model,
                                                            std::size_t limit) {
  return registry_->history(model, limit);
}

void ModelKeeper::note(std::string action, const std::string& model, std::string detail) {
  (void)parts_.store.put(
      traffic::AuditEntry{parts_.clock.now(), "api", std::move(action), model, std::move(detail)});
}

Asked<std::uint32_t> ModelKeeper::load(const std::string& model,
                                       std::optional<std::uint32_t> version) {
  auto loaded = registry_->load(model, version, "api", "loaded by an operator", parts_.clock.now());
  if (loaded) note("model.load", model, fmt::format("version {}", *loaded));
  return loaded;
}

Asked<void> ModelKeeper::unload(const std::string& model) {
  auto done = registry_->unload(
      model, learn::Alias::kChampion, "api", "unloaded by an operator", parts_.clock.now());
  if (done) note("model.unload", model, "");
  return done;
}

Asked<training::Rows> ModelKeeper::traffic_rows(const learn::ModelDefinition& definition,
                                                learn::DataSource source) {
  const bool recent = source == learn::DataSource::kRecentFeatures;
  if (definition.name == learn::kLoadPrediction) {
    auto minutes = registry_->with_records([&](registry::Records& records) {
      return records.minutes(recent ? kRecentMinutes : kMinutesMax);
    });
    if (!minutes) return refusal(ErrorCode::kUnavailable, "the minutes cannot be read");
    return training::load_rows(definition, *minutes);
  }
  for (const std::string& feature : definition.features)
    if (!traffic::feature_by_name(feature))
      return wrong("data_source", "must be file: " + feature + " is no feature of users");
  std::vector<traffic::FeatureRow> rows;
  if (recent) {
    rows = parts_.recent(kRowsMax);
  } else {
    auto stored = parts_.store.feature_rows({.limit = kRowsMax});
    if (!stored) return refusal(ErrorCode::kUnavailable, "the store cannot be read");
    rows = std::move(*stored);
  }
  if (definition.task == models::Task::kClustering) return training::user_rows(definition, rows);
  if (definition.task != models::Task::kClassification)
    return wrong("data_source", "must be file: the truth is not among users' features");
  SteadyTime oldest = parts_.clock.now();
  for (const traffic::FeatureRow& row : rows) oldest = std::min(oldest, row.time);
  const auto alerts = parts_.store.alerts(
      {.limit = kAlertsMax, .min_severity = traffic::Severity::kLow, .since = oldest});
  if (!alerts) return refusal(ErrorCode::kUnavailable, "the store cannot be read");
  return training::labelled_rows(definition, rows, *alerts);
}

Asked<training::Rows> ModelKeeper::rows_for(const learn::ModelDefinition& definition,
                                            const learn::TrainRequest& request) {
  if (request.source != learn::DataSource::kFile) return traffic_rows(definition, request.source);
  const auto path = training::path_inside(folder_, request.file);
  if (!path) return wrong("file", "is no file inside the folder of models.folder");
  auto rows = training::read_rows(definition, *path);
  if (!rows) return wrong("file", rows.error());
  return std::move(*rows);
}

Asked<learn::TrainingJob> ModelKeeper::train(const learn::TrainRequest& request) {
  const learn::ModelDefinition* definition = registry_->definition(request.model);
  if (definition == nullptr) return wrong("model_name", "is no model that is known");
  if (request.trainer != "builtin")
    return wrong("trainer", request.trainer + " is not configured here; builtin is always there");
  if (jobs_->busy(request.model))
    return refusal(ErrorCode::kConflict, "a training of " + request.model + " is under way");
  auto rows = rows_for(*definition, request);
  if (!rows) return tl::unexpected(rows.error());
  if (auto few = training::too_few(*definition, *rows)) return tl::unexpected(std::move(*few));
  training::BuiltinOptions options;
  options.definition = *definition;
  options.request = request;
  options.workers = workers_;
  auto shared = std::make_shared<training::Rows>(std::move(*rows));
  auto job = jobs_->submit(request, [this, options, shared](registry::Jobs::Watch& watch) mutable {
    // The champion of when it begins: it may have changed while the job waited.
    if (const auto champion = registry_->champion(options.definition.name))
      options.champion = champion->evaluator;
    const training::Telling telling{[&watch] { return watch.cancelled(); },
                                    [&watch](double progress, std::vector<learn::JobLine> lines) {
                                      watch.tell(progress, std::move(lines));
                                    }};
    return training::train_builtin(std::move(*shared), options, telling);
  });
  if (job) note("model.train", request.model, fmt::format("job {}", job->id));
  return job;
}

std::vector<learn::TrainingJob> ModelKeeper::jobs(std::size_t limit) { return jobs_->list(limit); }
Asked<learn::TrainingJob> ModelKeeper::job(std::uint64_t id) { return jobs_->job(id); }

Asked<learn::TrainingJob> ModelKeeper::cancel(std::uint64_t id) {
  auto job = jobs_->cancel(id);
  if (job) note("model.cancel", job->request.model, fmt::format("job {}", id));
  return job;
}

Asked<api::Predictor> ModelKeeper::predictor(const std::string& model,
                                             std::optional<std::uint32_t> version,
                                             std::string_view user) {
  auto served = registry_->served(model, version);
  if (served && !version) {
    if (auto other = experiments_.arm(model, user)) served = std::move(other);
  }
  if (!served) return tl::unexpected(served.error());
  return api::Predictor{(*served)->version,
                        std::shared_ptr<const models::Model>(*served, &(*served)->model),
                        (*served)->evaluator};
}

void ModelKeeper::predicted(const api::Prediction& prediction) {
  {
    const std::lock_guard lock(mutex_);
    inference_[prediction.model].observe(prediction.took);
  }
  if (!work_ || !experiments_.runs(prediction.model)) return;
  // Whoever asked does not wait for the other version; what there is no room for is not compared.
  (void)work_->run(
      [this,
       model = prediction.model,
       rows = std::vector<float>(prediction.rows.begin(), prediction.rows.end()),
       user = std::string(prediction.user)] { experiments_.observe(model, rows, user); });
}

Asked<learn::ExperimentView> ModelKeeper::begin_experiment(
    const learn::ExperimentRequest& request) {
  auto begun = experiments_.begin(request);
  if (begun) note("experiment.begin", request.model, fmt::format("experiment {}", begun->id));
  return begun;
}

std::vector<learn::ExperimentView> ModelKeeper::experiments() { return experiments_.list(); }

Asked<learn::ExperimentView> ModelKeeper::experiment(std::uint64_t id) {
  return experiments_.view(id);
}

Asked<learn::ExperimentView> ModelKeeper::stop_experiment(std::uint64_t id) {
  auto stopped = experiments_.stop(id, "stopped by an operator");
  if (stopped) note("experiment.stop", stopped->model, fmt::format("experiment {}", id));
  return stopped;
}

void ModelKeeper::judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) {
  const std::string model(learn::kAnomalyDetection);
  if (!work_ || verdict == traffic::FeedbackVerdict::kNone || !experiments_.runs(model)) return;
  std::vector<float> row;
  for (const std::string& feature : registry_->definition(model)->features)
    if (const auto id = traffic::feature_by_name(feature)) row.push_back(alert.features[*id]);
  const double truth = verdict == traffic::FeedbackVerdict::kTruePositive ? 1 : 0;
  (void)work_->run([this, model, row = std::move(row), truth, user = alert.user] {
    experiments_.observe_truth(model, row, truth, user);
  });
}

/// What passes by is scored by both versions, as what is asked for.
void ModelKeeper::observe_traffic() {
  const std::string model(learn::kAnomalyDetection);
  if (experiments_.runs(model)) {
    const auto& features = registry_->definition(model)->features;
    SteadyTime newest = observed_;
    for (const traffic::FeatureRow& row : parts_.recent(kRowsMax)) {
      if (row.time <= observed_) continue;
      newest = std::max(newest, row.time);
      std::vector<float> values;
      for (const std::string& feature : features)
        if (const auto id = traffic::feature_by_name(feature)) values.push_back(row.features[*id]);
      if (values.size() == features.size()) experiments_.observe(model, values, row.user);
    }
    observed_ = newest;
  }
  experiments_.second();
}

void ModelKeeper::second(SteadyTime now, std::uint64_t messages) {
  if (work_) (void)work_->run([this] { observe_traffic(); });
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
  }
}

std::vector<std::string> ModelKeeper::names() const {
  std::vector<std::string> names;
  for (const learn::ModelState& state : registry_->models()) names.push_back(state.definition.name);
  return names;
}

std::size_t ModelKeeper::unfinished_jobs() const { return jobs_ ? jobs_->unfinished() : 0; }

api::Check ModelKeeper::check() const {
  const auto unloaded = registry_->unloaded();
  std::size_t champions = 0;
  for (const learn::ModelState& state : registry_->models()) champions += state.champion ? 1U : 0U;
  return {"champions",
          unloaded.empty(),
          unloaded.empty() ? fmt::format("{} loaded", champions) : joined(unloaded)};
}

void ModelKeeper::add_metrics(prometheus::Snapshot& out) const {
  if (jobs_) jobs_->add_metrics(out);
  const std::lock_guard lock(mutex_);
  for (const auto& [model, histogram] : inference_)
    out.add(prometheus::Family::kInferenceSeconds, histogram, {model});
}

}  // namespace liminal::app
