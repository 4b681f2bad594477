#include "server/registry/experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/base/hash.hpp"
#include "io/sqlite/transaction.hpp"
#include "server/registry/experiment_text.hpp"
#include "server/registry/retention.hpp"

namespace liminal::registry {
namespace {

using learn::Arm;
using learn::Asked;
using learn::ExperimentOptions;
using learn::ExperimentState;
using learn::ExperimentView;
using learn::refusal;

using Steady = std::chrono::steady_clock;

/// What matters of values where nobody says: so much of the champion's mean squared error.
constexpr double kEffectRatio = .05;

/// Truths of which minutes are taken together: what is said of them errs for as long as a surprise
/// lasts. An hour because errors that are AR(1) of .9 are as of ten blocks of twelve then
/// (`bench_experiments`). Those of users come one a user.
Duration block_of(const std::string& model, const ExperimentOptions& options) {
  const bool minutes = model == learn::kLoadPrediction;
  return minutes && options.mode == ExperimentOptions::Mode::kShadow ? std::chrono::hours{1}
                                                                     : Duration{};
}

/// None of a user's would ever be judged.
constexpr const char* kOfNobody = "must be shadow: the server's load is no user's";

bool of_nobody(const std::string& model, const ExperimentOptions& options) {
  return model == learn::kLoadPrediction && options.mode == ExperimentOptions::Mode::kSplit;
}

bool alarm(const Served& served, const models::Prediction& said) {
  return said.score >= static_cast<double>(served.scorer->metadata().line);
}

/// How far two values may lie apart and still say the same.
double tolerance(const models::Metadata& champion, double value) {
  constexpr double kPart = .05;
  return models::half_width(champion).value_or(kPart * std::abs(value));
}

bool has_alarms(models::Task task) {
  return task == models::Task::kClassification || task == models::Task::kAnomaly;
}

/// A value of the guards of this name.
void observe_guard(learn::Experiment& experiment,
                   std::string_view name,
                   Arm arm,
                   double value,
                   std::uint64_t user_hash,
                   SteadyTime now) {
  const auto& guards = experiment.options().guards;
  for (std::size_t i = 0; i < guards.size(); ++i) {
    if (guards[i].name == name) experiment.observe_guard(i, arm, value, user_hash, now);
  }
}

}  // namespace

Result<Experiments::Scored> Experiments::score(const Served& served, std::span<const float> rows) {
  Scored scored;
  scored.said.resize(rows.size() / served.scorer->features());
  const auto begun = Steady::now();
  if (const auto done = served.scorer->predict(rows, scored.said); !done)
    return tl::unexpected(done.error());
  scored.us = std::chrono::duration<double, std::micro>(Steady::now() - begun).count() /
              static_cast<double>(std::max<std::size_t>(scored.said.size(), 1));
  return scored;
}

bool Experiments::Users::first(std::string_view user) {
  if (user.empty()) return true;
  return hashes_.size() < kMax && hashes_.insert(hash64(user)).second;
}

void Experiments::Users::save(Writer& out) const {
  std::vector<std::uint64_t> sorted(hashes_.begin(), hashes_.end());
  std::sort(sorted.begin(), sorted.end());
  out.put_varint(sorted.size());
  for (const std::uint64_t hash : sorted) out.put(hash);
}

void Experiments::Users::load(Reader& in) {
  const std::uint64_t count = in.get_varint();
  if (count > kMax) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) hashes_.insert(in.get<std::uint64_t>());
}

std::string Experiments::saved(const Running& running) {
  Writer out;
  running.experiment.save(out);
  running.came.save(out);
  running.judged.save(out);
  return out.take();
}

bool Experiments::agree(Running& running,
                        const models::Prediction& champion,
                        const models::Prediction& challenger) {
  const models::Metadata& metadata = running.champion->scorer->metadata();
  if (metadata.task == models::Task::kRegression)
    return std::abs(champion.score - challenger.score) <= tolerance(metadata, champion.score);
  if (metadata.task == models::Task::kClustering) {
    // The numbers of groups are each version's own.
    const std::pair now{champion.cluster, challenger.cluster};
    const auto before = std::exchange(running.groups, now).value_or(now);
    return (now.first == before.first) == (now.second == before.second);
  }
  return alarm(*running.champion, champion) == alarm(*running.challenger, challenger);
}

Experiments::Experiments(Registry& registry, Now now, const Told& told)
    : registry_(registry), now_(std::move(now)) {
  if (registry_.read_only()) return;
  const auto rows = registry_.with_records([](Records& records) { return records.experiments(); });
  if (!rows) return;
  for (const ExperimentRow& row : *rows) {
    if (row.ended) continue;
    const std::string why = resume(row);
    if (!why.empty() && told) told(row.model, row.id, why);
  }
}

std::string Experiments::resume(ExperimentRow row) {
  const auto leave = [&](std::string why) {
    (void)end(row, why);
    return why;
  };
  auto options = options_of(row.options);
  if (!options) return leave("what was asked of it cannot be read");
  if (of_nobody(row.model, *options)) return leave(std::string("the mode ") + kOfNobody);
  if (running_.contains(row.model)) return leave("another one of the model runs");
  std::shared_ptr<const Served> versions[2];
  for (const auto arm : {Arm::kChampion, Arm::kChallenger}) {
    const std::uint32_t number = arm == Arm::kChampion ? row.champion : row.challenger;
    auto served = registry_.served(row.model, number);
    if (!served) {
      std::string why = fmt::format("version {} cannot be read: {}", number, served.error().text);
      // A disk that does not answer may at the next start.
      return served.error().code == ErrorCode::kIo ? why : leave(std::move(why));
    }
    versions[static_cast<std::size_t>(arm)] = std::move(*served);
  }
  std::string anew;
  if (const Duration block = block_of(row.model, *options); options->block != block) {
    anew = "minutes were taken for independent of each other: it begins anew";
    options->block = block;
    row.options = options_json(*options);
  }
  Running running{
      std::move(row), learn::Experiment(*options), std::move(versions[0]), std::move(versions[1])};
  Reader in(running.row.saved);
  if (anew.empty()) {
    running.experiment.load(in);
    if (in.ok() && in.remaining() > 0) {  // else it was kept when users were not
      running.came.load(in);
      running.judged.load(in);
    }
    if (!in.ok()) anew = "what was observed cannot be read: it begins anew";
  }
  if (!anew.empty()) {
    running.experiment = learn::Experiment(*options);
    running.came = running.judged = {};
    (void)registry_.with_records([&](Records& records) {
      return records.decide(running.row.id, {now_(), running.row.state, 0, {}, {}, 0, anew});
    });
    running.dirty = true;
  }
  running.logged = running.experiment.log().size();
  const std::string model = running.row.model;
  running_.emplace(model, std::move(running));
  return anew;
}

Result<void> Experiments::end(ExperimentRow row, const std::string& text) {
  row.ended = now_();
  row.state = "stopped";
  return registry_.with_records([&](Records& records) {
    return sqlite::in_transaction(records.database(), [&]() -> Result<void> {
      auto done = records.decide(row.id, {*row.ended, row.state, 0, {}, {}, 0, text});
      return done ? records.update(row) : done;
    });
  });
}

ExperimentView Experiments::shown(const ExperimentRow& row, const learn::Experiment& experiment) {
  ExperimentView view;
  view.id = row.id;
  view.model = row.model;
  view.champion = row.champion;
  view.challenger = row.challenger;
  view.options = experiment.options();
  view.state = row.state;
  view.created = row.created;
  view.ended = row.ended;
  view.judged[0] = experiment.rows(Arm::kChampion);
  view.judged[1] = experiment.rows(Arm::kChallenger);
  if (const auto difference = experiment.difference())
    view.difference = finite_or_none(*difference);
  const learn::Interval interval = experiment.interval();
  if (std::isfinite(interval.low) && std::isfinite(interval.high)) view.interval = interval;
  view.effect = experiment.effect();
  view.scored = static_cast<double>(experiment.latency_us(Arm::kChallenger).count());
  view.agreement = experiment.agreement();
  for (const Arm arm : {Arm::kChampion, Arm::kChallenger}) {
    const auto& latency = experiment.latency_us(arm);
    if (latency.count() > 0) view.latency_us[static_cast<std::size_t>(arm)] = latency.mean();
  }
  view.share_observed = experiment.sample_ratio().observed_share();
  view.ratio_mismatch = experiment.sample_ratio().mismatch();
  return view;
}

std::optional<ExperimentView> Experiments::read(const ExperimentRow& row) const {
  const auto options = options_of(row.options);
  if (!options) return std::nullopt;
  learn::Experiment experiment(*options);
  Reader in(row.saved);
  experiment.load(in);
  if (!in.ok()) experiment = learn::Experiment(*options);
  return shown(row, experiment);
}

Asked<ExperimentView> Experiments::begin(const learn::ExperimentRequest& request) {
  auto state = registry_.model(request.model);
  if (!state)
    return tl::unexpected(
        learn::Refusal{ErrorCode::kOutOfRange, "", {{"model_name", "is no model that is known"}}});
  if (Problems problems = request.options.validate(); !problems.empty())
    return tl::unexpected(learn::Refusal{ErrorCode::kOutOfRange, "", std::move(problems)});
  if (of_nobody(request.model, request.options))
    return tl::unexpected(learn::Refusal{ErrorCode::kOutOfRange, "", {{"mode", kOfNobody}}});
  const bool alarms = has_alarms(state->definition.task);
  ExperimentOptions options = request.options;
  if (request.usual_effect && state->definition.task == models::Task::kRegression)
    options.effect_ratio = kEffectRatio;
  options.block = block_of(request.model, options);
  auto& guards = options.guards;
  if (request.usual_guards && !alarms)
    std::erase_if(guards, [](const learn::GuardRail& guard) { return guard.name == kAlarmRatio; });
  for (std::size_t i = 0; i < guards.size(); ++i) {
    if (guards[i].name == kAlarmRatio && !alarms)
      return tl::unexpected(learn::Refusal{
          ErrorCode::kOutOfRange,
          "",
          {{fmt::format("guards[{}].name", i),
            "alarm_ratio is for models that alarm: this one gives values or groups"}}});
  }
  const auto challenger = request.challenger ? request.challenger : state->challenger;
  if (!state->champion || !challenger || *challenger == *state->champion)
    return refusal(ErrorCode::kConflict,
                   "it takes a champion and another version as challenger: train or name one");
  auto first = registry_.served(request.model, *state->champion);
  auto second = registry_.served(request.model, *challenger);
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  const std::lock_guard lock(mutex_);
  if (running_.contains(request.model))
    return refusal(
        ErrorCode::kConflict,
        fmt::format("experiment {} of {} runs", running_.at(request.model).row.id, request.model));
  ExperimentRow row;
  row.model = request.model;
  row.champion = *state->champion;
  row.challenger = *challenger;
  row.created = now_();
  row.state = std::string(learn::name(ExperimentState::kRunning));
  // So that the same users are not the first to try everything.
  options.salt = mix64(static_cast<std::uint64_t>(nanoseconds(row.created)));
  row.options = options_json(options);
  Running running{row, learn::Experiment(options), std::move(*first), std::move(*second)};
  running.row.saved = saved(running);
  const auto id =
      registry_.with_records([&](Records& records) { return records.add(running.row); });
  if (!id) return refusal(ErrorCode::kUnavailable, "the experiment cannot be written down");
  (void)registry_.with_records(
      [](Records& records) { return records.forget_experiments(kExperimentsKept); });
  running.row.id = *id;
  const auto placed = running_.emplace(request.model, std::move(running));
  return shown(placed.first->second.row, placed.first->second.experiment);
}

std::vector<ExperimentView> Experiments::list() const {
  auto rows = registry_.with_records([](Records& records) { return records.experiments(); });
  std::vector<ExperimentView> views;
  if (!rows) return views;
  const std::lock_guard lock(mutex_);
  for (const ExperimentRow& row : *rows) {
    const auto running = running_.find(row.model);
    if (running != running_.end() && running->second.row.id == row.id) {
      views.push_back(shown(running->second.row, running->second.experiment));
    } else if (auto view = read(row)) {
      views.push_back(std::move(*view));
    }
  }
  return views;
}

Asked<ExperimentView> Experiments::view(std::uint64_t id) const {
  for (ExperimentView& view : list()) {
    if (view.id != id) continue;
    auto decisions =
        registry_.with_records([&](Records& records) { return records.decisions(id); });
    if (decisions) view.decisions = std::move(*decisions);
    return std::move(view);
  }
  return refusal(ErrorCode::kMissing, fmt::format("there is no experiment {}", id));
}

Asked<ExperimentView> Experiments::stop(std::uint64_t id, const std::string& reason) {
  bool here = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [model, running] : running_) {
      if (running.row.id != id) continue;
      here = true;
      keep(running);
      if (!running.row.ended) end(running, "stopped", reason);
      running_.erase(std::string(model));
      break;
    }
  }
  if (!here) {
    const auto rows =
        registry_.with_records([](Records& records) { return records.experiments(); });
    for (const ExperimentRow& row : rows.value_or(std::vector<ExperimentRow>{})) {
      if (row.id != id || row.ended) continue;
      if (!end(row, reason))
        return refusal(ErrorCode::kUnavailable, "the experiment cannot be written down");
    }
  }
  auto found = view(id);
  if (found && found->state != "stopped")
    return refusal(ErrorCode::kConflict, fmt::format("experiment {} has ended already", id));
  return found;
}

bool Experiments::runs(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  return running_.contains(model);
}

std::shared_ptr<const Served> Experiments::arm(const std::string& model,
                                               std::string_view user) const {
  if (user.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(model);
  if (found == running_.end()) return nullptr;
  const Running& running = found->second;
  if (running.experiment.options().mode != ExperimentOptions::Mode::kSplit) return nullptr;
  if (running.experiment.state() != ExperimentState::kRunning) return nullptr;
  return running.experiment.assign(hash64(user)) == Arm::kChallenger ? running.challenger : nullptr;
}

/// A running experiment of a model, while it is the one with this number; null otherwise.
Experiments::Running* Experiments::find(const std::string& model, std::optional<std::uint64_t> id) {
  const auto found = running_.find(model);
  if (found == running_.end() || found->second.row.ended) return nullptr;
  return id && found->second.row.id != *id ? nullptr : &found->second;
}

Experiments::Asking Experiments::asking(const Running& running, std::string_view user) {
  Asking out{running.row.id, {}, running.champion, running.challenger};
  if (running.experiment.options().mode == ExperimentOptions::Mode::kSplit)
    out.arm = running.experiment.assign(hash64(user));
  return out;
}

/// Models are asked under no lock: foreign ones may take their time.
void Experiments::observe(const std::string& model,
                          std::span<const float> rows,
                          std::string_view user) {
  Asking ask;
  {
    const std::lock_guard lock(mutex_);
    Running* const found = find(model, {});
    if (found == nullptr) return;
    ask = asking(*found, user);
    if (ask.arm) {
      if (user.empty()) return;
      found->dirty = true;
      if (found->came.first(user)) found->experiment.observe_user(*ask.arm, now_());
    }
  }
  if (ask.arm) return observe_arm(model, ask.id, *ask.arm, ask.by(), score(ask.by(), rows), user);
  observe_both(model,
               ask.id,
               user,
               *ask.champion,
               score(*ask.champion, rows),
               *ask.challenger,
               score(*ask.challenger, rows));
}

void Experiments::observe_arm(const std::string& model,
                              std::uint64_t id,
                              Arm arm,
                              const Served& by,
                              const Result<Scored>& scored,
                              std::string_view user) {
  const std::lock_guard lock(mutex_);
  Running* const found = find(model, id);
  if (found == nullptr) return;
  if (!scored) return give_up(*found, by, scored.error());
  const SteadyTime now = now_();
  found->dirty = true;
  for (const models::Prediction& said : scored->said) {
    found->experiment.observe_latency(arm, scored->us);
    observe_guard(
        found->experiment, kAlarmRatio, arm, alarm(by, said) ? 1 : 0, found->group_of(user), now);
  }
  // Rows that were scored together took one time.
  observe_guard(found->experiment, kLatency, arm, scored->us, found->group_of({}), now);
}

void Experiments::observe_both(const std::string& model,
                               std::uint64_t id,
                               std::string_view user,
                               const Served& champion,
                               const Result<Scored>& first,
                               const Served& challenger,
                               const Result<Scored>& second) {
  const std::lock_guard lock(mutex_);
  Running* const found = find(model, id);
  if (found == nullptr) return;
  if (!first) return give_up(*found, champion, first.error());
  if (!second) return give_up(*found, challenger, second.error());
  learn::Experiment& experiment = found->experiment;
  const SteadyTime now = now_();
  found->dirty = true;
  for (std::size_t i = 0; i < first->said.size(); ++i) {
    experiment.observe_agreement(agree(*found, first->said[i], second->said[i]));
    experiment.observe_latency(Arm::kChampion, first->us);
    experiment.observe_latency(Arm::kChallenger, second->us);
    const bool one = alarm(champion, first->said[i]), two = alarm(challenger, second->said[i]);
    const std::uint64_t group = found->group_of(user);
    observe_guard(experiment, kAlarmRatio, Arm::kChampion, one ? 1 : 0, group, now);
    observe_guard(experiment, kAlarmRatio, Arm::kChallenger, two ? 1 : 0, group, now);
  }
  const std::uint64_t together = found->group_of({});
  observe_guard(experiment, kLatency, Arm::kChampion, first->us, together, now);
  observe_guard(experiment, kLatency, Arm::kChallenger, second->us, together, now);
}

void Experiments::observe_truth(const std::string& model,
                                std::span<const float> row,
                                double truth,
                                std::string_view user) {
  Asking ask;
  {
    const std::lock_guard lock(mutex_);
    Running* const found = find(model, {});
    if (found == nullptr || !found->judged.first(user)) return;
    found->dirty = true;
    ask = asking(*found, user);
  }
  const auto value = [&](const Served& served) -> Result<double> {
    models::Prediction said;
    if (const auto done = served.scorer->predict(row, {&said, 1}); !done)
      return tl::unexpected(done.error());
    return -(said.score - truth) * (said.score - truth);
  };
  const Result<double> one = value(ask.by());
  const Result<double> two = ask.arm ? one : value(*ask.challenger);
  const std::lock_guard lock(mutex_);
  Running* const found = find(model, ask.id);
  if (found == nullptr) return;
  if (!one) return give_up(*found, ask.by(), one.error());
  if (!two) return give_up(*found, *ask.challenger, two.error());
  if (ask.arm) {
    found->experiment.observe(*ask.arm, *one, now_());
  } else {
    found->experiment.observe_pair(*one, *two, now_());
  }
}

/// A foreign version that fails ends the experiment; a row to which it has no number is left out.
void Experiments::give_up(Running& running, const Served& by, const Error& error) {
  if (error.code == ErrorCode::kOutOfRange) return;
  end(running, "stopped", fmt::format("version {} failed to answer", by.version));
}

/// Writes what is new, decisions before the state that rests on them.
void Experiments::keep(Running& running) {
  const auto& log = running.experiment.log();
  const bool decided = log.size() > running.logged;
  running.row.saved = saved(running);
  if (decided && running.experiment.state() != ExperimentState::kRunning) {
    running.row.ended = now_();
    running.row.state = std::string(learn::name(running.experiment.state()));
  }
  const auto kept = registry_.with_records([&](Records& records) {
    return sqlite::in_transaction(records.database(), [&]() -> Result<void> {
      for (std::size_t i = running.logged; i < log.size(); ++i) {
        auto done = records.decide(running.row.id, decision_of(running.experiment, log[i]));
        if (!done) return done;
      }
      return records.update(running.row);
    });
  });
  if (!kept) {
    running.row.ended.reset();  // tried again in a second
    return;
  }
  running.logged = log.size();
  running.dirty = false;
}

void Experiments::end(Running& running, const std::string& state, const std::string& text) {
  running.row.ended = now_();
  running.row.state = state;
  const learn::Experiment& experiment = running.experiment;
  (void)registry_.with_records([&](Records& records) {
    return sqlite::in_transaction(records.database(), [&]() -> Result<void> {
      const ExperimentView view = shown(running.row, experiment);
      auto done = records.decide(running.row.id,
                                 {*running.row.ended,
                                  state,
                                  view.difference.value_or(0),
                                  view.interval ? std::optional(view.interval->low) : std::nullopt,
                                  view.interval ? std::optional(view.interval->high) : std::nullopt,
                                  view.judged[0] + view.judged[1],
                                  text});
      if (!done) return done;
      return records.update(running.row);
    });
  });
}

void Experiments::second() {
  struct Rollback {
    std::string model;
    std::uint64_t id;
    std::uint32_t challenger;
  };
  std::vector<Rollback> harmed;
  {
    const std::lock_guard lock(mutex_);
    for (auto place = running_.begin(); place != running_.end();) {
      Running& running = place->second;
      if (running.dirty) keep(running);
      const auto champion = registry_.champion(place->first);
      if (!running.row.ended && (!champion || champion->version != running.row.champion))
        end(running, "stopped", "the champion changed");
      if (running.row.ended && running.experiment.state() == ExperimentState::kHarm)
        harmed.push_back({place->first, running.row.id, running.row.challenger});
      place = running.row.ended ? running_.erase(place) : std::next(place);
    }
  }
  for (const Rollback& each : harmed) {
    const auto state = registry_.model(each.model);
    if (state && state->challenger == each.challenger)
      (void)registry_.unload(each.model,
                             learn::Alias::kChallenger,
                             fmt::format("experiment {}", each.id),
                             "a guard rail broke",
                             now_());
  }
}

}  // namespace liminal::registry
