#include "app/serve/model_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/configuration/quantity.hpp"
#include "server/training/ranking.hpp"
#include "server/training/report_page.hpp"

namespace liminal::app {
namespace {

using learn::Asked;
using learn::refusal;

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
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
  for (const std::string& trouble : (*registry)->unloaded_challengers()) {
    static LogSite site;
    parts.log.write(LogLevel::kWarning, site, "challenger.unloaded", {{"model", trouble}});
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
      experiments_(
          *registry_,
          [&clock = parts_.clock] { return clock.now(); },
          [&log = parts_.log](const std::string& model, std::uint64_t id, const std::string& why) {
            static LogSite site;
            log.write(LogLevel::kWarning,
                      site,
                      "experiment.disturbed",
                      {{"model", model}, {"experiment", std::to_string(id)}, {"why", why}});
          }),
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
           (training::of_users(definition) && definition.task != models::Task::kRegression);
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

Asked<learn::TrainingJob> ModelKeeper::train(const learn::TrainRequest& request) {
  auto job = begin_training(request);
  if (!job) return job;
  note("api", "model.train", request.model, fmt::format("job {}", job->id));
  learning_->began(*job);
  return job;
}

/// What the cluster made, with its figures and what its gate said.
Asked<learn::TrainedModel> ModelKeeper::train_there(const learn::ModelDefinition& definition,
                                                    const learn::TrainRequest& request,
                                                    const training::Telling& telling) {
  auto trained = parts_.there(request, telling);
  if (!trained) return tl::unexpected(std::move(trained.error()));
  learn::Bringing bringing;
  bringing.file = "trained by the cluster";
  auto made = registry::bring(definition, trained->file, bringing, registry_->runtime());
  if (!made) return made;
  made->better = trained->champion;
  made->reasons = std::move(trained->reasons);
  made->leaderboard = std::move(trained->leaderboard);
  made->metrics = std::move(trained->metrics);
  made->report = std::move(trained->report);
  return made;
}

Asked<learn::TrainingJob> ModelKeeper::begin_training(const learn::TrainRequest& request) {
  training::TrainThere there;
  if (parts_.there)
    there = [this](const auto& definition, const auto& asked, const auto& telling) {
      return train_there(definition, asked, telling);
    };
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
       .file_bytes_max = rows_bytes_max_,
       .there = std::move(there)});
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
      if (definition.task != models::Task::kClassification || !training::of_users(definition))
        continue;
      const std::vector<float> row = training::user_row(definition, features);
      learning_->observe_truth(definition.name, row, truth);
      experiments_.observe_truth(definition.name, row, truth, user);
    }
  });
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
  std::string detail = unloaded.empty() ? fmt::format("{} loaded", champions) : joined(unloaded);
  // Without a challenger the server answers as well.
  const auto challengers = registry_->unloaded_challengers();
  if (!challengers.empty()) detail += "; challengers that cannot be read: " + joined(challengers);
  return {"champions", unloaded.empty(), detail};
}

void ModelKeeper::add_metrics(prometheus::Snapshot& out) const {
  if (jobs_) jobs_->add_metrics(out);
  if (learning_) learning_->add_metrics(out);
  answers_.add_metrics(out);
}

}  // namespace liminal::app
