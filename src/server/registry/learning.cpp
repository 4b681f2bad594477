#include "server/registry/learning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace liminal::registry {
namespace {

using learn::LearningView;
using learn::Retraining;

constexpr std::uint32_t kKeptEvery = 60;  ///< seconds
constexpr std::size_t kUsersMax = 100'000;
constexpr std::size_t kJobsMax = 1000;

std::string words(const Retraining::Due& due) {
  return fmt::format("{}: {}", learn::name(due.trigger), due.reason);
}

template <class T>
std::string saved(const T& value) {
  Writer out;
  value.save(out);
  return out.take();
}

Retraining retraining_of(const LearningRow& row, SteadyTime now) {
  Retraining retraining;
  Reader in(row.retraining);
  retraining.load(in);
  if (!in.ok()) return Retraining(now);
  retraining.clamp(now);
  return retraining;
}

std::optional<learn::Watch> watch_of(const LearningRow& row) {
  learn::Watch watch{learn::WatchReference{}};
  Reader in(row.watch);
  watch.load(in);
  if (!in.at_end() || watch.features().empty()) return std::nullopt;
  return watch;
}

LearningView view_of(const std::string& model,
                     const Retraining& retraining,
                     const learn::RetrainOptions& when,
                     SteadyTime now) {
  LearningView view;
  view.model = model;
  view.next = retraining.next(when, now);
  view.not_before = retraining.not_before(when);
  view.began = retraining.began_at();
  view.last = retraining.last();
  view.job = retraining.job();
  view.why = retraining.why();
  view.refusal = retraining.refusal();
  view.failures = retraining.failures();
  return view;
}

}  // namespace

Learning::Learning(Registry& registry, Ports ports, Options options)
    : registry_(registry), ports_(std::move(ports)), options_(std::move(options)) {
  const SteadyTime now = ports_.now();
  for (const learn::ModelState& state : registry_.models()) {
    Model& model = models_[state.definition.name];
    model.definition = state.definition;
    model.from_traffic = ports_.from_traffic(state.definition);
    model.retraining = Retraining(now);
    model.dirty = true;  // since when it is known is to be known, too
  }
  registry_.with_records([this](Records& records) { take_up(records); });
  for (auto& [name, model] : models_)
    if (model.dirty) keep(model);
}

void Learning::take_up(Records& records) {
  const SteadyTime now = ports_.now();
  if (const auto rows = records.learning()) {
    for (const LearningRow& row : *rows) {
      Model* const model = find(row.model);
      if (model == nullptr) continue;
      model->retraining = retraining_of(row, now);
      model->dirty = false;
      const auto champion = registry_.champion(row.model);
      if (!champion || champion->version != row.number) continue;
      model->champion = champion;
      model->watch = watch_of(row);
      if (!model->watch) model->champion.reset();  // the reference is read again
    }
  }
  // Newest first. What was queued just before a kill may not have been kept: no second one is begun
  // beside it.
  const auto jobs = records.jobs(kJobsMax);
  if (!jobs) return;
  for (const learn::TrainingJob& job : *jobs) {
    Model* const model = find(job.request.model);
    if (model == nullptr || job.id <= model->retraining.job()) continue;
    model->retraining.began(job.id, std::nullopt, std::min(job.created, now));
    model->dirty = true;
  }
}

Learning::Model* Learning::find(const std::string& name) {
  const auto found = models_.find(name);
  return found == models_.end() ? nullptr : &found->second;
}

void Learning::configure(const Options& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
}

bool Learning::watches(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  return found != models_.end() && found->second.watch.has_value();
}

void Learning::observe(const std::string& name,
                       std::span<const float> row,
                       std::uint64_t user,
                       SteadyTime at) {
  const std::lock_guard lock(mutex_);
  Model* const model = find(name);
  if (model == nullptr || !model->watch || model->watch->features().size() != row.size()) return;
  const std::int64_t minute = nanoseconds(at) / 60'000'000'000;
  if (minute < model->minute) return;
  if (minute > model->minute) model->seen.clear();
  model->minute = minute;
  if (model->seen.size() >= kUsersMax || !model->seen.insert(user).second) return;
  models::Prediction said;
  if (!model->champion->scorer->predict(row, {&said, 1})) return;
  model->watch->observe(row, said.score);
  model->dirty = true;
}

void Learning::observe_truth(const std::string& name, std::span<const float> row, double truth) {
  const std::lock_guard lock(mutex_);
  Model* const model = find(name);
  if (model == nullptr || !model->watch || model->watch->features().size() != row.size()) return;
  models::Prediction said;
  if (!model->champion->scorer->predict(row, {&said, 1})) return;
  model->watch->observe_error(learn::error_of(model->definition.task, said.score, truth));
  model->dirty = true;
}

void Learning::judged() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, model] : models_) model.count_feedback = true;
}

void Learning::began(const learn::TrainingJob& job) {
  const std::lock_guard lock(mutex_);
  Model* const model = find(job.request.model);
  if (model == nullptr) return;
  model->retraining.began(job.id, std::nullopt, ports_.now());
  keep(*model);
}

/// Compares with another champion's rows as soon as it is there.
void Learning::follow_champion(Model& model) {
  auto champion = registry_.champion(model.definition.name);
  const std::uint32_t before = model.champion ? model.champion->version : 0;
  if ((champion ? champion->version : 0) == before) return;
  model.champion = std::move(champion);
  model.watch.reset();
  model.dirty = true;
  if (!model.champion) return;
  const auto kept = registry_.with_records([&](Records& records) {
    return records.reference(model.definition.name, model.champion->version);
  });
  if (!kept) model.champion.reset();  // again in a second
  if (!kept || !*kept) return;
  learn::WatchReference reference;
  Reader in(**kept);
  reference.load(in);
  if (in.at_end() && reference.features.size() == model.champion->scorer->features())
    model.watch.emplace(reference);
}

/// The end of the last training, once it is written down.
void Learning::take_end(Model& model) {
  Retraining& retraining = model.retraining;
  if (retraining.ended() || ports_.under_way(model.definition.name)) return;
  const auto job = ports_.job(retraining.job());
  if (!job && job.error().code != ErrorCode::kMissing) return;  // asked again in a second
  const bool succeeded = job && job->state == learn::JobState::kSucceeded;
  const bool promoted = succeeded && job->alias == learn::Alias::kChampion;
  retraining.ended(retraining.job(), succeeded, promoted, ports_.now());
  if (succeeded && model.watch) model.watch->calm();
  model.count_feedback = true;
  if (retraining.why())
    ports_.note("learning.end",
                model.definition.name,
                fmt::format("job {}: {}{}",
                            retraining.job(),
                            job ? learn::name(job->state) : "it is gone",
                            job && !job->problem.empty() ? ": " + job->problem : ""));
  keep(model);
}

learn::RetrainFacts Learning::facts(Model& model) const {
  learn::RetrainFacts facts;
  facts.under_way = ports_.under_way(model.definition.name);
  facts.champion = model.champion != nullptr;
  if (model.watch) {
    facts.drifted = model.watch->drifted();
    facts.decayed = model.watch->decay().decayed();
  }
  if (options_.when.feedback > 0 && std::exchange(model.count_feedback, false))
    model.feedback = ports_.feedback(model.definition.name,
                                     model.retraining.began_at().value_or(SteadyTime{}),
                                     options_.when.feedback);
  facts.feedback = model.feedback;
  return facts;
}

void Learning::begin(Model& model, const Retraining::Due& due) {
  const std::string& name = model.definition.name;
  Options options;
  {
    const std::lock_guard lock(mutex_);
    options = options_;
    if (options.mode == traffic::Mode::kObserve) {
      ports_.note("learning.would", name, words(due));
      model.retraining.looked(due, ports_.now());
      model.count_feedback = true;
      if (model.watch) model.watch->calm();
      return keep(model);
    }
  }
  learn::TrainRequest request;
  request.model = name;
  request.source = learn::DataSource::kStore;
  request.budget_s = options.budget_s;
  request.auto_deploy = options.mode == traffic::Mode::kEnforce;
  request.leave_out_incidents = options.leave_out_incidents;
  request.seed = model.retraining.job() + 1;
  const auto job = ports_.train(request);      // reads the rows: nobody is to wait for it
  if (!job && ports_.under_way(name)) return;  // a person was faster
  const std::lock_guard lock(mutex_);
  if (job) {
    ++model.begun[static_cast<std::size_t>(due.trigger)];
    model.retraining.began(job->id, due, ports_.now());
  } else {
    ++model.refused;
    model.retraining.refused(due, job.error().text, ports_.now());
  }
  keep(model);
  ports_.note(
      job ? "learning.begin" : "learning.refused",
      name,
      job ? fmt::format("job {}: {}", job->id, words(due)) : words(due) + ": " + job.error().text);
}

/// Of models that people train there is nothing to keep.
void Learning::keep(Model& model) {
  model.dirty = false;
  if (!model.from_traffic) return;
  const LearningRow row{model.definition.name,
                        saved(model.retraining),
                        model.champion ? model.champion->version : 0,
                        saved(model.watch.value_or(learn::Watch(learn::WatchReference{})))};
  const auto kept = registry_.with_records([&](Records& records) { return records.put(row); });
  model.dirty = !kept;
}

std::optional<Retraining::Due> Learning::look(Model& model) {
  const std::lock_guard lock(mutex_);
  follow_champion(model);
  take_end(model);
  if (!model.from_traffic || !model.retraining.ended()) return std::nullopt;
  return model.retraining.due(options_.when, facts(model), ports_.now());
}

void Learning::second() {
  for (auto& [name, model] : models_)
    if (const auto due = look(model)) begin(model, *due);
  if (++seconds_ < kKeptEvery) return;
  seconds_ = 0;
  save();
}

void Learning::save() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, model] : models_)
    if (model.dirty) keep(model);
}

std::vector<LearningView> Learning::views() const {
  const SteadyTime now = ports_.now();
  std::vector<LearningView> views;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    LearningView view = view_of(name, model.retraining, options_.when, now);
    view.from_traffic = model.from_traffic;
    view.under_way = !model.retraining.ended();
    view.feedback = model.feedback;
    view.version = model.champion ? model.champion->version : 0;
    view.watch = model.watch;
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<LearningView> Learning::kept(Records& records,
                                         const std::vector<learn::ModelState>& models,
                                         const learn::RetrainOptions& when,
                                         SteadyTime now) {
  std::vector<LearningView> views;
  const auto rows = records.learning();
  if (!rows) return views;
  for (const LearningRow& row : *rows) {
    const auto known = std::find_if(models.begin(), models.end(), [&](const auto& state) {
      return state.definition.name == row.model;
    });
    if (known == models.end()) continue;
    LearningView view = view_of(row.model, retraining_of(row, now), when, now);
    view.version = row.number;
    if (row.number != 0 && known->champion == row.number) view.watch = watch_of(row);
    views.push_back(std::move(view));
  }
  return views;
}

void Learning::add_metrics(prometheus::Snapshot& out) const {
  using prometheus::Family;
  const SteadyTime now = ports_.now();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    if (!model.from_traffic) continue;
    for (std::size_t i = 0; i < learn::kTriggers; ++i)
      out.add(Family::kLearningTriggers, model.begun[i], {name, learn::name(learn::Trigger(i))});
    out.add(Family::kLearningRefusals, model.refused, {name});
    if (model.watch) out.add(Family::kModelDrift, model.watch->drift(), {name});
    if (const auto began = model.retraining.began_at())
      out.add(Family::kTrainingAge, std::max(seconds(now - *began), 0.), {name});
  }
}

}  // namespace liminal::registry
