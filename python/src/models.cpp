#include "models.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/features/recent_features.hpp"
#include "core/traffic/codec.hpp"
#include "server/signals/gateway_alerts.hpp"
#include "server/training/begin.hpp"
#include "server/training/foretold.hpp"
#include "server/training/report_page.hpp"

namespace liminal::python {
namespace {

using learn::Asked;
using learn::refusal;

constexpr std::size_t kRowsMax = 200'000;

api::Predictor predictor_of(const registry::Served& served) {
  return {served.version, served.scorer, served.batches};
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
  signals::GatewayAlerts told;
  told.load(in);
  for (traffic::Alert& alert : told.all()) alerts.push_back(std::move(alert));
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
  of.foreign = options.foreign;
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
      answers_(*registry_, experiments_),
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

Asked<std::string> ModelsOf::report(const std::string& model, std::uint32_t version, bool page) {
  return registry_->version(model, version).map([page](const learn::ModelVersion& found) {
    return training::report_of(found, page);
  });
}

Asked<training::Rows> ModelsOf::kept_rows(const learn::ModelDefinition& definition,
                                          const learn::TrainRequest& request) const {
  if (definition.name == learn::kLoadPrediction)
    return training::wrong("data_source", "must be file: the server's minutes are not kept here");
  if (auto refused = training::not_of_users(definition)) return tl::unexpected(std::move(*refused));
  Material material = sources_.material();
  return training::users_rows(definition, request, std::move(material.rows), material.alerts);
}

Asked<learn::TrainingJob> ModelsOf::train(const learn::TrainRequest& request) {
  return training::begin_training(
      *registry_,
      *jobs_,
      request,
      {.rows = [this](const auto& definition,
                      const auto& asked) { return kept_rows(definition, asked); },
       .folder = options_.folder + "/training",
       .workers = options_.workers,
       .ray = options_.fits ? options_.fits->cluster() : nullptr});
}

Asked<api::Predictor> ModelsOf::predictor(const std::string& model,
                                          std::optional<std::uint32_t> version,
                                          std::string_view user) {
  auto served = answers_.served(model, version, user);
  if (!served) return tl::unexpected(served.error());
  return predictor_of(**served);
}

Asked<api::Predictor> ModelsOf::batch_predictor(const std::string& model,
                                                std::optional<std::uint32_t> version) {
  const auto served = registry_->for_batches(model, version);
  if (!served) return tl::unexpected(served.error());
  return predictor_of(**served);
}

void ModelsOf::predicted(const api::Prediction& prediction) {
  answers_.took(prediction.model, prediction.took);
  if (experiments_.runs(prediction.model))
    experiments_.observe(prediction.model, prediction.rows, prediction.user);
}

void ModelsOf::judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) {
  const std::string model(learn::kAnomalyDetection);
  if (verdict == traffic::FeedbackVerdict::kNone || !experiments_.runs(model)) return;
  const std::vector<float> row = training::user_row(*registry_->definition(model), alert.features);
  const double truth = verdict == traffic::FeedbackVerdict::kTruePositive ? 1 : 0;
  experiments_.observe_truth(model, row, truth, alert.user);
}

std::vector<std::string> ModelsOf::names() const {
  std::vector<std::string> names;
  for (const learn::ModelState& state : registry_->models()) names.push_back(state.definition.name);
  return names;
}

std::optional<learn::UserGroup> ModelsOf::group_of(const traffic::Features& features) const {
  const std::string model(learn::kUserBehavior);
  const auto champion = registry_->champion(model);
  if (!champion) return std::nullopt;
  return training::group_of(
      *registry_->definition(model), *champion->scorer, champion->version, features);
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
  answers_.add_metrics(out);
}

std::vector<ModelCopies::LeftOut> ModelCopies::take(const std::vector<ModelCopy>& copies) {
  Versions before;
  {
    const std::lock_guard lock(mutex_);
    before = versions_;
  }
  Versions now;
  std::vector<LeftOut> left_out;
  for (const ModelCopy& copy : copies) {
    const auto key = std::pair(copy.model, copy.version);
    Held held{copy.champion, nullptr};
    if (copy.bytes.empty()) {
      const auto found = before.find(key);
      if (found == before.end() || found->second.served->sha256 != copy.sha256) {
        left_out.push_back({copy.model, "this version is not there"});
        continue;
      }
      held.served = found->second.served;
    } else {
      auto served = registry::serve(copy.model, copy.version, copy.bytes, copy.sha256, runtime_);
      if (!served) {
        left_out.push_back({copy.model, served.error().text});
        continue;
      }
      held.served = std::move(*served);
    }
    now.emplace(key, std::move(held));
  }
  const std::lock_guard lock(mutex_);
  versions_ = std::move(now);
  return left_out;
}

Asked<api::Predictor> ModelCopies::predictor(const std::string& model,
                                             std::optional<std::uint32_t> version,
                                             std::string_view) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, held] : versions_) {
    if (key.first == model && (version ? *version == key.second : held.champion))
      return predictor_of(*held.served);
  }
  return refusal(ErrorCode::kMissing, "this model is not here");
}

}  // namespace liminal::python
