#include "app/serve/model_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "app/configuration/quantity.hpp"
#include "core/base/hash.hpp"
#include "server/training/incidents.hpp"
#include "server/training/ranking.hpp"
#include "server/training/report_page.hpp"

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

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

/// Whether a model's rows are users' feature rows.
bool of_users(const learn::ModelDefinition& definition) {
  return definition.name != learn::kLoadPrediction &&
         std::all_of(definition.features.begin(),
                     definition.features.end(),
                     [](const std::string& feature) { return traffic::feature_by_name(feature); });
}

std::vector<float> values_of(const learn::ModelDefinition& definition,
                             const traffic::Features& features) {
  std::vector<float> values;
  for (const std::string& feature : definition.features)
    if (const auto id = traffic::feature_by_name(feature)) values.push_back(features[*id]);
  return values;
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

std::shared_ptr<const training::KenningOptions> kenning_of(
    const Configuration& configuration, const registry::ForeignRuntime& runtime) {
  training::KenningOptions out;
  out.program = configuration.models.kenning;
  out.folder = (std::filesystem::path(configuration.data) / "kenning").string();
  out.open = [&runtime](std::string_view file, models::Metadata metadata) {
    return runtime.open(file, std::move(metadata));
  };
  out.ready = [&runtime] { return runtime.ready(); };
  return std::make_shared<const training::KenningOptions>(std::move(out));
}

}  // namespace

std::vector<learn::ModelDefinition> model_definitions(const Configuration& configuration) {
  std::vector<learn::ModelDefinition> all = learn::first_models();
  all.push_back(training::salience_ranking());
  for (const std::string& line : configuration.models.definitions)
    if (auto definition = learn::parse_definition(line)) all.push_back(std::move(*definition));
  return all;
}

registry::Learning::Options learning_options(const Configuration& configuration) {
  const Configuration::Learning& from = configuration.learning;
  registry::Learning::Options options;
  options.mode = from.mode.value_or(configuration.mode);
  options.when = from.when;
  if (!from.daily_at.empty()) options.when.daily_at = parse_time_of_day(from.daily_at);
  options.budget_s = seconds(from.budget);
  options.leave_out_incidents = from.leave_out_incidents;
  return options;
}

registry::Registry::Options registry_options(const Configuration& configuration) {
  registry::Registry::Options options;
  options.folder = (std::filesystem::path(configuration.data) / "models").string();
  options.definitions = model_definitions(configuration);
  options.versions_kept = configuration.models.versions_kept;
  options.foreign = {configuration.models.onnxruntime,
                     configuration.models.provider,
                     static_cast<int>(configuration.models.threads)};
  return options;
}

tl::expected<std::unique_ptr<ModelKeeper>, std::string> ModelKeeper::open(
    const Configuration& configuration, files::FileSystem& system, const Parts& parts) {
  auto registry =
      registry::Registry::open(system, registry_options(configuration), parts.clock.now());
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
      rows_bytes_max_(configuration.models.rows_bytes_max),
      budgets_{.message = {1e6 * seconds(configuration.models.row_budget),
                           static_cast<double>(configuration.models.memory_max)}},
      definitions_(model_definitions(configuration)),
      registry_(std::move(registry)),
      kenning_(kenning_of(configuration, registry_->runtime())),
      experiments_(*registry_, [&clock = parts_.clock] { return clock.now(); }),
      answers_(*registry_, experiments_) {
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
  learning_ = std::make_unique<registry::Learning>(
      *registry_, learning_ports(), learning_options(configuration));
}

registry::Learning::Ports ModelKeeper::learning_ports() {
  registry::Learning::Ports ports;
  ports.now = [this] { return parts_.clock.now(); };
  ports.from_traffic = [](const learn::ModelDefinition& definition) {
    return definition.name == learn::kLoadPrediction ||
           (of_users(definition) && definition.task != models::Task::kRegression);
  };
  ports.train = [this](const learn::TrainRequest& request) { return begin_training(request); };
  ports.under_way = [this](const std::string& model) { return jobs_->busy(model); };
  ports.job = [this](std::uint64_t id) { return jobs_->job(id); };
  ports.feedback = [this](const std::string& model, SteadyTime since, std::size_t limit) {
    const learn::ModelDefinition* definition = registry_->definition(model);
    if (definition->task != models::Task::kClassification) return std::uint64_t{0};
    const auto given = parts_.store.feedback(limit, since);
    return static_cast<std::uint64_t>(given ? given->size() : 0);
  };
  ports.note = [this](std::string action, const std::string& model, std::string detail) {
    static LogSite site;
    parts_.log.write(LogLevel::kInfo, site, action, {{"model", model}, {"why", detail}});
    note("learning", std::move(action), model, std::move(detail));
  };
  return ports;
}

std::vector<learn::LearningView> ModelKeeper::learning() { return learning_->views(); }

void ModelKeeper::reload(const Configuration& configuration) {
  learning_->configure(learning_options(configuration));
}

ModelKeeper::~ModelKeeper() { finish(); }

void ModelKeeper::finish() {
  foreign_.reset();
  work_.reset();
  if (learning_) learning_->save();
  jobs_.reset();
}

bool ModelKeeper::run(std::function<void()> work) { return work_ && work_->run(std::move(work)); }

bool ModelKeeper::run_foreign(std::function<void()> work) {
  return foreign_ && foreign_->run(std::move(work));
}

std::vector<learn::ModelState> ModelKeeper::models() { return registry_->models(); }

Asked<std::vector<learn::AliasChange>> ModelKeeper::history(const std::string& model,
                                                            std::size_t limit) {
  return registry_->history(model, limit);
}

Asked<learn::ModelVersion> ModelKeeper::bring(const std::string& model,
                                              const std::string& file,
                                              const learn::Bringing& bringing) {
  auto version = registry_->bring(model, file, bringing, parts_.clock.now(), "api");
  if (version) note("api", "model.bring", model, fmt::format("version {}", version->number));
  return version;
}

Asked<std::string> ModelKeeper::report(const std::string& model, std::uint32_t version, bool page) {
  return registry_->version(model, version).map([page](const learn::ModelVersion& found) {
    return training::report_of(found, page);
  });
}

void ModelKeeper::note(std::string_view actor,
                       std::string action,
                       const std::string& model,
                       std::string detail) {
  (void)parts_.store.put(traffic::AuditEntry{
      parts_.clock.now(), std::string(actor), std::move(action), model, std::move(detail)});
}

Asked<std::string> ModelKeeper::file(const std::string& model,
                                     std::uint32_t version,
                                     bool batches) {
  return registry_->file(model, version, batches);
}

std::optional<std::string> ModelKeeper::take_champion(const std::string& model,
                                                      std::string_view file,
                                                      const std::string& actor,
                                                      const std::string& reason) {
  learn::Bringing bringing;
  bringing.file = reason;
  const auto brought = registry_->bring(model, file, bringing, parts_.clock.now(), actor);
  if (!brought) return brought.error().text;
  const auto loaded = registry_->load(model, brought->number, actor, reason, parts_.clock.now());
  if (!loaded) return loaded.error().text;
  note(actor, "model.load", model, fmt::format("version {}", *loaded));
  return std::nullopt;
}

Asked<std::uint32_t> ModelKeeper::load(const std::string& model,
                                       std::optional<std::uint32_t> version) {
  auto loaded = registry_->load(model, version, "api", "loaded by an operator", parts_.clock.now());
  if (loaded) note("api", "model.load", model, fmt::format("version {}", *loaded));
  return loaded;
}

Asked<void> ModelKeeper::unload(const std::string& model) {
  auto done = registry_->unload(
      model, learn::Alias::kChampion, "api", "unloaded by an operator", parts_.clock.now());
  if (done) note("api", "model.unload", model, "");
  return done;
}

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

Asked<learn::TrainingJob> ModelKeeper::train(const learn::TrainRequest& request) {
  auto job = begin_training(request);
  if (!job) return job;
  note("api", "model.train", request.model, fmt::format("job {}", job->id));
  learning_->began(*job);
  return job;
}

Asked<learn::TrainingJob> ModelKeeper::begin_training(const learn::TrainRequest& request) {
  return training::begin_training(
      *registry_,
      *jobs_,
      request,
      {.rows = [this](const auto& definition,
                      const auto& asked) { return kept_rows(definition, asked); },
       .folder = folder_,
       .workers = workers_,
       .kenning = kenning_,
       .budgets = budgets_,
       .file_bytes_max = rows_bytes_max_});
}

std::vector<learn::TrainingJob> ModelKeeper::jobs(std::size_t limit) { return jobs_->list(limit); }
Asked<learn::TrainingJob> ModelKeeper::job(std::uint64_t id) { return jobs_->job(id); }

Asked<learn::TrainingJob> ModelKeeper::cancel(std::uint64_t id) {
  auto job = jobs_->cancel(id);
  if (job) note("api", "model.cancel", job->request.model, fmt::format("job {}", id));
  return job;
}

Asked<api::Predictor> ModelKeeper::predictor(const std::string& model,
                                             std::optional<std::uint32_t> version,
                                             std::string_view user) {
  auto served = answers_.served(model, version, user);
  if (!served) return tl::unexpected(served.error());
  return api::Predictor{(*served)->version, (*served)->scorer};
}

Asked<api::Predictor> ModelKeeper::batch_predictor(const std::string& model,
                                                   std::optional<std::uint32_t> version) {
  const auto served = registry_->for_batches(model, version);
  if (!served) return tl::unexpected(served.error());
  return api::Predictor{(*served)->version, (*served)->scorer, (*served)->batches};
}

void ModelKeeper::predicted(const api::Prediction& prediction) {
  answers_.took(prediction.model, prediction.took);
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
  if (request.model == learn::kAnomalyDetection &&
      request.options.mode == learn::ExperimentOptions::Mode::kSplit)
    return training::wrong("mode",
                           "must be shadow: messages are judged by the champion for every user");
  if (request.model == learn::kLoadPrediction &&
      request.options.mode == learn::ExperimentOptions::Mode::kSplit)
    return training::wrong("mode", "must be shadow: the server's load is no user's");
  auto begun = experiments_.begin(request);
  if (begun)
    note("api", "experiment.begin", request.model, fmt::format("experiment {}", begun->id));
  return begun;
}

std::vector<learn::ExperimentView> ModelKeeper::experiments() { return experiments_.list(); }

Asked<learn::ExperimentView> ModelKeeper::experiment(std::uint64_t id) {
  return experiments_.view(id);
}

Asked<learn::ExperimentView> ModelKeeper::stop_experiment(std::uint64_t id) {
  auto stopped = experiments_.stop(id, "stopped by an operator");
  if (stopped) note("api", "experiment.stop", stopped->model, fmt::format("experiment {}", id));
  return stopped;
}

void ModelKeeper::judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) {
  if (!work_ || verdict == traffic::FeedbackVerdict::kNone) return;
  const double truth = verdict == traffic::FeedbackVerdict::kTruePositive ? 1 : 0;
  (void)work_->run([this, features = alert.features, user = alert.user, truth] {
    learning_->judged();
    for (const learn::ModelDefinition& definition : definitions_) {
      if (definition.task != models::Task::kClassification || !of_users(definition)) continue;
      const std::vector<float> row = values_of(definition, features);
      learning_->observe_truth(definition.name, row, truth);
      experiments_.observe_truth(definition.name, row, truth, user);
    }
  });
}

/// What passes by is scored by both versions of an experiment, as what is asked for, and compared
/// with what champions were trained on.
void ModelKeeper::observe_traffic() {
  const std::string compared(learn::kAnomalyDetection);
  std::vector<const learn::ModelDefinition*> asked;
  for (const learn::ModelDefinition& definition : definitions_) {
    const bool experiment = definition.name == compared && experiments_.runs(compared);
    if (of_users(definition) && (experiment || learning_->watches(definition.name)))
      asked.push_back(&definition);
  }
  SteadyTime newest = observed_;
  for (const traffic::FeatureRow& row :
       asked.empty() ? std::vector<traffic::FeatureRow>{} : parts_.recent(kRowsMax)) {
    if (row.time <= observed_) continue;
    newest = std::max(newest, row.time);
    for (const learn::ModelDefinition* definition : asked) {
      const std::vector<float> values = values_of(*definition, row.features);
      if (definition->name == compared) experiments_.observe(compared, values, row.user);
      learning_->observe(definition->name, values, hash64(row.user), row.time);
    }
  }
  observed_ = newest;
  experiments_.second();
  learning_->second();
}

/// The newest minute for which `load_prediction` is asked, and the one whose truth came.
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
  if (learning_) learning_->add_metrics(out);
  answers_.add_metrics(out);
}

}  // namespace liminal::app
