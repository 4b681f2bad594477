#include "models.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/features/recent_features.hpp"
#include "core/traffic/codec.hpp"
#include "io/onnx/read.hpp"
#include "server/training/builtin.hpp"
#include "server/training/incidents.hpp"

namespace liminal::python {
namespace {

using learn::Asked;
using learn::refusal;

constexpr std::size_t kRowsMax = 200'000;

tl::unexpected<learn::Refusal> wrong(std::string field, std::string text) {
  return tl::unexpected(
      learn::Refusal{ErrorCode::kOutOfRange, "", {{std::move(field), std::move(text)}}});
}

api::Predictor predictor_of(const std::shared_ptr<const registry::Served>& served) {
  return {served->version,
          std::shared_ptr<const models::Model>(served, &served->model),
          served->evaluator};
}

tl::expected<std::vector<learn::ModelDefinition>, std::string> definitions_of(
    const std::vector<std::string>& lines) {
  std::vector<learn::ModelDefinition> all = learn::first_models();
  for (const std::string& line : lines) {
    auto definition = learn::parse_definition(line);
    if (!definition) return tl::unexpected("\"" + line + "\" is no definition of a model");
    if (const Problems problems = learn::validate(*definition); !problems.empty())
      return tl::unexpected("\"" + line + "\": " + problems[0].key + " " + problems[0].text);
    all.push_back(std::move(*definition));
  }
  return all;
}

}  // namespace

Result<void> read_material(std::string_view bytes, Material& to) {
  Reader in(bytes);
  features::RecentFeatures rows(kRowsMax);
  rows.load(in);
  std::vector<traffic::Alert> alerts;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    if (!traffic::load(alerts.emplace_back(), in)) in.fail();
  }
  if (!in.at_end()) return failure(ErrorCode::kMalformed, in.position());
  auto latest = rows.latest(rows.size());
  to.rows.insert(to.rows.end(),
                 std::make_move_iterator(latest.begin()),
                 std::make_move_iterator(latest.end()));
  to.alerts.insert(to.alerts.end(),
                   std::make_move_iterator(alerts.begin()),
                   std::make_move_iterator(alerts.end()));
  std::stable_sort(
      to.rows.begin(), to.rows.end(), [](const auto& a, const auto& b) { return a.time > b.time; });
  return {};
}

tl::expected<std::unique_ptr<ModelsOf>, std::string> ModelsOf::open(files::FileSystem& system,
                                                                    const ModelOptions& options,
                                                                    Sources sources) {
  auto definitions = definitions_of(options.definitions);
  if (!definitions) return tl::unexpected(definitions.error());
  if (!system.create_folder(options.folder))
    return tl::unexpected("\"" + options.folder + "\" cannot be made");
  auto lock = sqlite::DirectoryLock::acquire(options.folder);
  if (!lock) {
    return tl::unexpected(
        "\"" + options.folder + "\" " +
        (lock.error().code == ErrorCode::kConflict ? "is another process's" : "cannot be written"));
  }
  registry::Registry::Options of;
  of.folder = options.folder;
  of.definitions = std::move(*definitions);
  auto registry = registry::Registry::open(system, std::move(of), sources.now());
  if (!registry) return tl::unexpected(registry.error());
  return std::unique_ptr<ModelsOf>(
      new ModelsOf(options, std::move(sources), std::move(*lock), std::move(*registry)));
}

ModelsOf::ModelsOf(const ModelOptions& options,
                   Sources sources,
                   sqlite::DirectoryLock lock,
                   std::unique_ptr<registry::Registry> registry)
    : options_(options),
      sources_(std::move(sources)),
      lock_(std::move(lock)),
      registry_(std::move(registry)),
      experiments_(*registry_, sources_.now),
      jobs_(std::make_unique<registry::Jobs>(*registry_, sources_.now)),
      seconds_([this] { live(); }) {}

ModelsOf::~ModelsOf() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.notify_all();
  seconds_.join();
}

void ModelsOf::live() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_; })) {
    lock.unlock();
    experiments_.second();
    lock.lock();
  }
}

Asked<std::uint32_t> ModelsOf::load(const std::string& model,
                                    std::optional<std::uint32_t> version) {
  return registry_->load(model, version, "api", "loaded by an operator", sources_.now());
}

Asked<void> ModelsOf::unload(const std::string& model) {
  return registry_->unload(
      model, learn::Alias::kChampion, "api", "unloaded by an operator", sources_.now());
}

Asked<training::Rows> ModelsOf::rows_for(const learn::ModelDefinition& definition,
                                         const learn::TrainRequest& request) const {
  if (request.source == learn::DataSource::kFile) {
    const auto path = training::path_inside(options_.folder + "/training", request.file);
    if (!path) return wrong("file", "is no file inside the folder of training data");
    auto rows = training::read_rows(definition, *path);
    if (!rows) return wrong("file", rows.error());
    return std::move(*rows);
  }
  if (definition.name == learn::kLoadPrediction)
    return wrong("data_source", "must be file: the server's minutes are not kept here");
  for (const std::string& feature : definition.features)
    if (!traffic::feature_by_name(feature))
      return wrong("data_source", "must be file: " + feature + " is no feature of users");
  Material material = sources_.material();
  if (request.leave_out_incidents)
    training::leave_out_incidents(definition, material.rows, material.alerts);
  if (definition.task == models::Task::kClustering)
    return training::user_rows(definition, material.rows);
  if (definition.task != models::Task::kClassification)
    return wrong("data_source", "must be file: the truth is not among users' features");
  return training::labelled_rows(definition, material.rows, material.alerts);
}

std::optional<learn::Refusal> ModelsOf::trainer_refusal(const learn::ModelDefinition& definition,
                                                        const std::string& trainer) const {
  const auto because = [](std::string text) {
    return learn::Refusal{ErrorCode::kOutOfRange, "", {{"trainer", std::move(text)}}};
  };
  if (trainer == "builtin") return std::nullopt;
  if (trainer != "ray")
    return because(trainer + " is not configured here; builtin is always there");
  if (!options_.fits) return because(std::string(training::kRayIsElsewhere));
  if (definition.task != models::Task::kClassification &&
      definition.task != models::Task::kRegression)
    return because("ray is for models of the tasks classification and regression");
  return std::nullopt;
}

Asked<learn::TrainingJob> ModelsOf::train(const learn::TrainRequest& request) {
  const learn::ModelDefinition* definition = registry_->definition(request.model);
  if (definition == nullptr) return wrong("model_name", "is no model that is known");
  if (auto why = trainer_refusal(*definition, request.trainer)) return tl::unexpected(*why);
  if (jobs_->busy(request.model))
    return refusal(ErrorCode::kConflict, "a training of " + request.model + " is under way");
  auto rows = rows_for(*definition, request);
  if (!rows) return tl::unexpected(rows.error());
  if (auto few = training::too_few(*definition, *rows)) return tl::unexpected(std::move(*few));
  training::BuiltinOptions options;
  options.definition = *definition;
  options.request = request;
  options.workers = options_.workers;
  const std::shared_ptr<RemoteFits> apart = request.trainer == "ray" ? options_.fits : nullptr;
  auto shared = std::make_shared<training::Rows>(std::move(*rows));
  return jobs_->submit(
      request, [this, options, shared, apart](registry::Jobs::Watch& watch) mutable {
        // The champion of when it begins: it may have changed while the job waited.
        if (const auto champion = registry_->champion(options.definition.name)) {
          options.champion = champion->evaluator;
          options.champion_trained_s = registry_->made_s(champion->name, champion->version);
        }
        const training::Telling telling{
            [&watch] { return watch.cancelled(); },
            [&watch](double progress, std::vector<learn::JobLine> lines) {
              watch.tell(progress, std::move(lines));
            }};
        if (apart) {
          options.workers = apart->at_once();
          options.fitting = apart->fitting();
        }
        auto made = training::train_builtin(std::move(*shared), options, telling);
        if (apart && !made && !watch.cancelled() && !apart->complaint().empty())
          made.error().text += "; the cluster said last: " + apart->complaint();
        return made;
      });
}

Asked<api::Predictor> ModelsOf::predictor(const std::string& model,
                                          std::optional<std::uint32_t> version,
                                          std::string_view user) {
  auto served = registry_->served(model, version);
  if (served && !version) {
    if (auto other = experiments_.arm(model, user)) served = std::move(other);
  }
  if (!served) return tl::unexpected(served.error());
  return predictor_of(*served);
}

void ModelsOf::predicted(const api::Prediction& prediction) {
  {
    const std::lock_guard lock(mutex_);
    inference_[prediction.model].observe(prediction.took);
  }
  if (experiments_.runs(prediction.model))
    experiments_.observe(prediction.model, prediction.rows, prediction.user);
}

void ModelsOf::judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) {
  const std::string model(learn::kAnomalyDetection);
  if (verdict == traffic::FeedbackVerdict::kNone || !experiments_.runs(model)) return;
  std::vector<float> row;
  for (const std::string& feature : registry_->definition(model)->features)
    if (const auto id = traffic::feature_by_name(feature)) row.push_back(alert.features[*id]);
  const double truth = verdict == traffic::FeedbackVerdict::kTruePositive ? 1 : 0;
  experiments_.observe_truth(model, row, truth, alert.user);
}

Asked<std::uint32_t> ModelsOf::add(const std::string& model, std::string_view bytes) {
  auto read = onnx::read(bytes);
  if (!read) return refusal(ErrorCode::kMalformed, read.error().text);
  learn::TrainedModel brought;
  brought.model = std::move(*read);
  brought.model.metadata.name = model;
  brought.model.metadata.trainer = "brought";
  learn::TrainingJob none;
  none.request.model = model;
  auto published = registry_->publish(brought, learn::Alias::kChallenger, none, sources_.now());
  if (!published) return tl::unexpected(published.error());
  return published->number;
}

std::vector<std::string> ModelsOf::names() const {
  std::vector<std::string> names;
  for (const learn::ModelState& state : registry_->models()) names.push_back(state.definition.name);
  return names;
}

api::Check ModelsOf::check() const {
  std::string troubles;
  for (const std::string& trouble : registry_->unloaded())
    troubles += (troubles.empty() ? "" : "; ") + trouble;
  std::size_t champions = 0;
  for (const learn::ModelState& state : registry_->models()) champions += state.champion ? 1U : 0U;
  const bool good = troubles.empty();
  return {"champions", good, good ? std::to_string(champions) + " loaded" : troubles};
}

void ModelsOf::add_metrics(prometheus::Snapshot& out) const {
  jobs_->add_metrics(out);
  const std::lock_guard lock(mutex_);
  for (const auto& [model, histogram] : inference_)
    out.add(prometheus::Family::kInferenceSeconds, histogram, {model});
}

tl::expected<void, std::string> ModelCopies::take(const std::vector<ModelCopy>& copies) {
  Versions before;
  {
    const std::lock_guard lock(mutex_);
    before = versions_;
  }
  Versions now;
  for (const ModelCopy& copy : copies) {
    const auto key = std::pair(copy.model, copy.version);
    Held held{copy.champion, nullptr};
    if (copy.bytes.empty()) {
      const auto found = before.find(key);
      if (found == before.end() || found->second.served->sha256 != copy.sha256)
        return tl::unexpected(copy.model + ": this version is not there");
      held.served = found->second.served;
    } else {
      auto served = registry::serve(copy.model, copy.version, copy.bytes, copy.sha256);
      if (!served) return tl::unexpected(copy.model + ": " + served.error().text);
      held.served = std::move(*served);
    }
    now.emplace(key, std::move(held));
  }
  const std::lock_guard lock(mutex_);
  versions_ = std::move(now);
  return {};
}

Asked<api::Predictor> ModelCopies::predictor(const std::string& model,
                                             std::optional<std::uint32_t> version,
                                             std::string_view) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, held] : versions_) {
    if (key.first == model && (version ? *version == key.second : held.champion))
      return predictor_of(held.served);
  }
  return refusal(ErrorCode::kMissing, "this model is not here");
}

}  // namespace liminal::python
