#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/api/models_port.hpp"

namespace liminal::api {

/// A keeper of models for tests: does all at once, keeps nothing on disk. `anomaly_detection` has
/// two versions, whose probability rises and falls with messages_per_minute.
class FakeModels : public ModelsPort {
 public:
  std::vector<learn::ModelState> states;
  std::vector<learn::TrainingJob> all_jobs;
  std::vector<learn::ExperimentView> all_experiments;
  std::uint64_t rows_missing = 0;      ///< trainings are refused while it is not 0
  std::string refused;                 ///< a model for which five rows are missing
  std::size_t asked = 0;               ///< predictions
  std::size_t runs = 0;                ///< of work done elsewhere
  bool sought_elsewhere = false;       ///< the last that was for batches
  learn::Bringing brought;             ///< the last
  models::Scorer::AnswerRows foreign;  ///< computes every version when it is there

  FakeModels() {
    for (const learn::ModelDefinition& definition : learn::first_models())
      states.push_back({definition, {}, {}, {}});
    for (const std::uint32_t number : {2U, 1U}) {
      learn::ModelVersion version;
      version.model = states[0].definition.name;
      version.number = number;
      version.created = SteadyTime{std::chrono::seconds{1'800'000'000}};
      version.trainer = "builtin";
      version.job = number;
      version.sha256 = std::string(64, 'a');
      version.bytes = 1000;
      version.metrics = {{"roc_auc", .9}};
      version.features = states[0].definition.features;
      version.report = "{\"split\":{\"how\":\"later rows of other users\"}}";
      states[0].versions.push_back(version);
    }
    states[0].versions[0].batches = {std::string(64, 'b'), 9000, 60};
    states[0].champion = 2;
    states[0].challenger = 1;
  }

  bool run(std::function<void()> work) override {
    ++runs;
    ++within_;
    work();
    --within_;
    return true;
  }
  bool run_foreign(std::function<void()> work) override { return run(std::move(work)); }
  std::vector<learn::ModelState> models() override { return states; }
  learn::Asked<std::vector<learn::AliasChange>> history(const std::string& model,
                                                        std::size_t) override {
    if (find(model) == nullptr) return learn::refusal(ErrorCode::kMissing, "no such model");
    return std::vector<learn::AliasChange>{{1,
                                            model,
                                            learn::Alias::kChampion,
                                            2,
                                            1,
                                            SteadyTime{std::chrono::seconds{1'800'000'000}},
                                            "job 2",
                                            "better"}};
  }
  learn::Asked<learn::ModelVersion> bring(const std::string& model,
                                          const std::string& file,
                                          const learn::Bringing& bringing) override {
    learn::ModelState* state = find(model);
    if (state == nullptr) return learn::refusal(ErrorCode::kMissing, "there is no such model");
    if (file != "a model")
      return learn::refusal(ErrorCode::kMalformed, bringing.file + " is no ONNX file");
    brought = bringing;
    return state->versions.at(0);
  }
  learn::Asked<std::string> report(const std::string& model,
                                   std::uint32_t version,
                                   bool page) override {
    const learn::ModelState* state = find(model);
    if (state == nullptr || version == 0 || version > state->versions.size())
      return learn::refusal(ErrorCode::kMissing, "there is no such version");
    return page ? "<!doctype html>\n" : state->versions[0].report;
  }
  learn::Asked<std::string> file(const std::string& model,
                                 std::uint32_t version,
                                 bool batches) override {
    if (batches && version != 2) return learn::refusal(ErrorCode::kMissing, "nothing beside");
    if (find(model) == nullptr || version < 1 || version > 2)
      return learn::refusal(ErrorCode::kMissing, "no such version");
    return std::string("\x08\x07onnx\0\xff", 8);
  }
  learn::Asked<std::uint32_t> load(const std::string& model,
                                   std::optional<std::uint32_t> version) override {
    learn::ModelState* state = find(model);
    if (version == 9)
      return tl::unexpected(learn::Refusal{
          ErrorCode::kConflict, "its features are not those of it", {{"size", "is missing"}}});
    if (state == nullptr || state->versions.empty() || version.value_or(1) > 2)
      return learn::refusal(ErrorCode::kMissing, "no such version");
    state->champion = version.value_or(2);
    return *state->champion;
  }
  learn::Asked<void> unload(const std::string& model) override {
    learn::ModelState* state = find(model);
    if (state == nullptr || !state->champion)
      return learn::refusal(ErrorCode::kMissing, "no champion");
    state->champion.reset();
    return {};
  }
  learn::Asked<learn::TrainingJob> train(const learn::TrainRequest& request) override {
    if (find(request.model) == nullptr)
      return tl::unexpected(learn::Refusal{
          ErrorCode::kOutOfRange, "", {{"model_name", "is no model that is known"}}});
    const std::uint64_t missing = request.model == refused ? 5 : rows_missing;
    if (missing > 0)
      return tl::unexpected(learn::Refusal{ErrorCode::kConflict, "too few rows", {}, missing});
    learn::TrainingJob job;
    job.id = all_jobs.size() + 1;
    job.request = request;
    job.state = learn::JobState::kRunning;
    job.created = SteadyTime{std::chrono::seconds{1'800'000'000}};
    job.started = job.created;
    job.progress = .5;
    job.leaderboard = {{"boosted trees", .9, 5, .25}};
    all_jobs.push_back(job);
    return job;
  }
  std::vector<learn::TrainingJob> jobs(std::size_t) override { return all_jobs; }
  learn::Asked<learn::TrainingJob> job(std::uint64_t id) override {
    if (id == 0 || id > all_jobs.size())
      return learn::refusal(ErrorCode::kMissing, "there is no such job");
    return all_jobs[id - 1];
  }
  learn::Asked<learn::TrainingJob> cancel(std::uint64_t id) override {
    auto found = job(id);
    if (!found) return found;
    if (learn::ended(found->state)) return learn::refusal(ErrorCode::kConflict, "it has ended");
    all_jobs[id - 1].state = learn::JobState::kCancelled;
    return all_jobs[id - 1];
  }
  learn::Asked<learn::ExperimentView> begin_experiment(
      const learn::ExperimentRequest& request) override {
    if (find(request.model) == nullptr)
      return tl::unexpected(learn::Refusal{
          ErrorCode::kOutOfRange, "", {{"model_name", "is no model that is known"}}});
    if (!all_experiments.empty() && !all_experiments.back().ended)
      return learn::refusal(ErrorCode::kConflict, "one runs");
    learn::ExperimentView view;
    view.id = all_experiments.size() + 1;
    view.model = request.model;
    view.champion = 2;
    view.challenger = 1;
    view.options = request.options;
    if (!request.usual_effect && request.options.effect_ratio == 0)
      view.effect = request.options.effect;
    view.state = "running";
    view.created = SteadyTime{std::chrono::seconds{1'800'000'000}};
    view.interval = learn::Interval{-.1, .2};
    view.scored = 10;
    view.latency_us[0] = .5;
    view.decisions = {{view.created, "running", 0, {}, {}, 0, "begun"}};
    all_experiments.push_back(view);
    return view;
  }
  std::vector<learn::ExperimentView> experiments() override { return all_experiments; }
  learn::Asked<learn::ExperimentView> experiment(std::uint64_t id) override {
    if (id == 0 || id > all_experiments.size())
      return learn::refusal(ErrorCode::kMissing, "there is no such experiment");
    return all_experiments[id - 1];
  }
  learn::Asked<learn::ExperimentView> stop_experiment(std::uint64_t id) override {
    auto found = experiment(id);
    if (!found) return found;
    if (found->ended) return learn::refusal(ErrorCode::kConflict, "it has ended");
    all_experiments[id - 1].state = "stopped";
    all_experiments[id - 1].ended = found->created;
    return all_experiments[id - 1];
  }
  std::vector<learn::LearningView> learning() override {
    learn::WatchReference reference;
    std::vector<float> values;
    for (int i = 0; i < 1000; ++i) values.push_back(static_cast<float>(i));
    for (const std::string& feature : states[0].definition.features)
      reference.features.push_back({feature, learn::Reference::learn(values)});
    learn::LearningView view;
    view.model = states[0].definition.name;
    view.from_traffic = true;
    view.began = view.last = SteadyTime{std::chrono::seconds{1'800'000'000}};
    view.next = *view.last + std::chrono::hours{24};
    view.job = 2;
    view.why = learn::Retraining::Due{learn::Trigger::kDrift, "drift of error_rate"};
    view.version = 2;
    view.watch.emplace(reference);
    for (int i = 0; i < 500; ++i)
      view.watch->observe(std::vector<float>(reference.features.size(), 900.F), .5);
    learn::LearningView other;
    other.model = "own";
    return {view, other};
  }
  learn::Asked<Predictor> predictor(const std::string& model,
                                    std::optional<std::uint32_t> version,
                                    std::string_view) override {
    const learn::ModelState* state = find(model);
    if (state == nullptr || (!version && !state->champion) || version.value_or(1) > 2)
      return learn::refusal(ErrorCode::kMissing, "there is none");
    const std::uint32_t number = version.value_or(state->champion.value_or(1));
    models::Model made;
    made.metadata.name = model;
    made.metadata.task = models::Task::kClassification;
    for (const std::string& feature : state->definition.features)
      made.metadata.features.push_back({feature, ""});
    if (foreign) {
      auto scorer = models::Scorer::foreign(made.metadata, foreign);
      if (!scorer) return learn::refusal(ErrorCode::kMalformed, "no scorer");
      return Predictor{number, std::move(*scorer)};
    }
    models::Linear linear;
    linear.weights = {number == 2 ? 1.F : -1.F, 0, 0, 0};
    linear.link = models::Link::kLogistic;
    made.predictor = linear;
    auto scorer = models::Scorer::own(std::move(made));
    if (!scorer) return learn::refusal(ErrorCode::kMalformed, "no scorer");
    return Predictor{number, std::move(*scorer)};
  }
  learn::Asked<Predictor> batch_predictor(const std::string& model,
                                          std::optional<std::uint32_t> version) override {
    sought_elsewhere = within_ > 0;
    auto found = predictor(model, version, "");
    if (found) found->batches = found->version == 2;
    return found;
  }
  void predicted(const Prediction& prediction) override { asked += prediction.said.size(); }

 private:
  int within_ = 0;  ///< work that is done elsewhere

  learn::ModelState* find(const std::string& model) {
    for (learn::ModelState& state : states)
      if (state.definition.name == model) return &state;
    return nullptr;
  }
};

}  // namespace liminal::api
