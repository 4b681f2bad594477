// What a step of the engine costs: README.md has the method.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/detect/rules.hpp"
#include "core/engine/local_engine.hpp"
#include "core/features/user_features.hpp"
#include "core/features/user_table.hpp"
#include "core/limits/decide.hpp"
#include "core/models/test_models.hpp"

namespace {

using namespace liminal;
using traffic::Event;
using traffic::EventKind;
using traffic::Name;

constexpr std::int64_t kStart_s = 1'700'000'000;

/// What the users do: talk (six messages a minute each) or play (five a second).
enum class Habit : std::int64_t { kChat, kGame };
constexpr std::size_t kUsersPerAddress = 4;

/// CPU time of this thread: steadier than the wall's on a shared machine.
double cpu_now_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// People who talk: random users in turn, six messages a minute each, in rooms of some hundred,
/// with the names hashed once as the gateway does.
class Talk {
 public:
  explicit Talk(std::size_t users, Habit habit = Habit::kChat) : random_(1) {
    for (std::size_t i = 0; i < users; ++i) {
      texts_.push_back("user-" + std::to_string(i));
      if (i % kUsersPerAddress == 0)
        addresses_.push_back("10." + std::to_string(i >> 18 & 255) + "." +
                             std::to_string(i >> 10 & 255) + "." + std::to_string(i >> 2 & 255));
      if (i % 100 == 0) rooms_.push_back("room-" + std::to_string(i / 100));
    }
    for (const std::string& text : texts_) user_names_.emplace_back(text);
    for (const std::string& text : addresses_) address_names_.emplace_back(text);
    for (const std::string& text : rooms_) room_names_.emplace_back(text);
    per_second_ = std::max<std::size_t>(1, habit == Habit::kChat ? users / 10 : users * 5);
  }

  [[nodiscard]] std::size_t users() const { return user_names_.size(); }
  [[nodiscard]] std::size_t per_second() const { return per_second_; }

  Event next(std::size_t user, SteadyTime now) {
    Event event;
    event.user = user_names_[user];
    event.address = address_names_[user / kUsersPerAddress];
    event.channels = {&room_names_[user / 100], 1};
    event.bytes = static_cast<std::uint32_t>(20 + random_.below(60));
    event.content_hash = random_.bits();
    event.connection = user + 1;
    event.time = EventTime{now.time_since_epoch()};
    return event;
  }

  /// The events of the seconds from `begin` on, in order of time.
  void talk(SteadyTime begin, std::size_t seconds, std::vector<Event>& out) {
    out.clear();
    for (std::size_t i = 0; i < per_second_ * seconds; ++i) {
      const auto offset = static_cast<std::int64_t>(i * 1'000'000'000 / per_second_);
      out.push_back(next(random_.below(users()), begin + Duration{offset}));
    }
  }

 private:
  Random random_;
  std::vector<std::string> texts_, addresses_, rooms_;
  std::vector<Name> user_names_, address_names_, room_names_;
  std::size_t per_second_ = 0;
};

engine::Options roomy(std::size_t users, Habit habit) {
  engine::Options options;
  options.detect.profile = habit == Habit::kChat ? detect::Profile::kChat : detect::Profile::kGame;
  options.users_max = static_cast<std::uint32_t>(std::max<std::size_t>(users / 32, 64));
  options.addresses_max = options.users_max;
  options.horizon = std::chrono::minutes{10};
  return options;
}

/// The path of a message without the statistics, put together as the shard does.
class FeaturesLimitsRules {
 public:
  FeaturesLimitsRules(std::size_t users, Habit habit)
      : settings_(roomy(users, habit)),
        population_(settings_.options.detect.profile),
        users_(users),
        addresses_(users) {}

  void step(const Event& event, engine::Effects& out) {
    const SteadyTime now{event.time.time_since_epoch()};
    User& user = users_.find_or_add(event.user);
    limits::AddressLimits& address = addresses_.find_or_add(event.address);
    out.verdict = limits::decide(settings_.policies, user.limits, &address, nullptr, event, now);
    user.features.learn(event, now, limits::violates(out.verdict));
    findings_.clear();
    settings_.rules.evaluate(
        event.kind, user.rules, user.features.at(now), now, population_, findings_);
  }
  void second(SteadyTime, engine::Effects&) {}
  [[nodiscard]] std::size_t memory_bytes() const {
    return users_.memory_bytes() + addresses_.memory_bytes();
  }

 private:
  struct User {
    features::UserFeatures features;
    limits::UserLimits limits;
    detect::RuleState rules;
  };
  engine::Settings settings_;
  detect::Population population_;
  features::UserTable<User> users_;
  features::UserTable<limits::AddressLimits> addresses_;
  detect::Findings findings_;
};

/// Everything: 64 shards, the commons once a second.
class Whole {
 public:
  explicit Whole(std::size_t users, Habit habit = Habit::kChat) : engine_(roomy(users, habit)) {}
  void step(const Event& event, engine::Effects& out) {
    engine_.shard(shard_of(event.user.hash)).step(event, out);
  }
  void second(SteadyTime now, engine::Effects& out) { engine_.advance(now, out); }
  [[nodiscard]] std::size_t memory_bytes() const { return engine_.memory_bytes(); }

 private:
  engine::LocalEngine engine_;
};

/// Boosted trees of the traffic's features, as large as may be asked for every message, that never
/// raise an alarm.
std::shared_ptr<const engine::Champion> boosted(std::size_t trees, std::uint32_t depth) {
  Random random(3);
  models::Model model;
  model.metadata.task = models::Task::kClassification;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    model.metadata.features.push_back({std::string(feature.name), std::string(feature.unit)});
  models::Trees made;
  made.trees = models::testing::trees(random, trees, traffic::kFeatureCount, {.depth = depth});
  for (models::Tree& tree : made.trees)
    for (models::TreeNode& node : tree.nodes)
      if (!node.leaf()) node.value = static_cast<float>(60 * random.uniform());
  made.base = -50;
  made.link = models::Link::kLogistic;
  model.predictor = std::move(made);
  return *engine::Champion::create(std::move(model), 1, {});
}

/// Everything, with a champion of 100 trees of depth 6 that is asked about every tenth message and
/// answers after every 256, as at the end of a busy turn.
class WholeWithChampion {
 public:
  explicit WholeWithChampion(std::size_t users, Habit habit = Habit::kChat)
      : engine_(roomy(users, habit)), champion_(boosted(100, 6)) {
    engine::Effects effects;
    engine_.use(champion_, effects);
  }
  void step(const Event& event, engine::Effects& out) {
    engine_.shard(shard_of(event.user.hash)).step(event, out);
    if (++steps_ % 256 == 0) answer(out);
  }
  void second(SteadyTime now, engine::Effects& out) { engine_.advance(now, out); }
  [[nodiscard]] std::size_t memory_bytes() const { return engine_.memory_bytes(); }

 private:
  void answer(engine::Effects& out) {
    scores_.resize(out.asks.size());
    if (!champion_->score(out.asks, scores_)) return;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      const engine::Ask& ask = out.asks[i];
      (void)engine_.shard(ask.shard).take({1, ask.user, ask.time, scores_[i], {}}, out);
    }
    out.asks.clear();
  }

  engine::LocalEngine engine_;
  std::shared_ptr<const engine::Champion> champion_;
  std::vector<float> scores_;
  std::uint32_t steps_ = 0;
};

/// Time of the steps only; the second's exchange is measured on its own. An iteration is as many
/// seconds of the users' life as make 10,000 messages, so that caches are as warm as in a server
/// that is saturated.
template <class Engine>
void BM_Step(benchmark::State& state) {
  const auto habit = Habit{state.range(1)};
  state.SetLabel(habit == Habit::kChat ? "chat" : "game");
  Talk talk(static_cast<std::size_t>(state.range(0)), habit);
  Engine engine(talk.users(), habit);
  engine::Effects effects;
  std::vector<Event> events;
  SteadyTime now{std::chrono::seconds{kStart_s}};
  engine.second(now, effects);
  for (std::size_t user = 0; user < talk.users(); ++user)
    engine.step(talk.next(user, now), effects);
  const std::size_t seconds = std::max<std::size_t>(1, 10'000 / talk.per_second());

  const auto live = [&] {
    now += std::chrono::seconds{seconds};
    engine.second(now, effects);
    talk.talk(now, seconds, events);
    effects.clear();
    const double begin = cpu_now_s();
    for (const Event& event : events) {
      engine.step(event, effects);
      effects.rows.clear();
    }
    return cpu_now_s() - begin;
  };
  for (int warm = 0; warm < 10; ++warm) live();
  std::size_t steps = 0, alerts = 0;
  for (auto _ : state) {
    state.SetIterationTime(live());
    steps += events.size();
    alerts += effects.alerts.size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(steps));
  state.counters["bytes/user"] =
      static_cast<double>(engine.memory_bytes()) / static_cast<double>(talk.users());
  state.counters["alerts"] = static_cast<double>(alerts);
}
BENCHMARK(BM_Step<FeaturesLimitsRules>)
    ->ArgsProduct({{1'000, 1'000'000}, {0, 1}})
    ->ArgNames({"users", "habit"})
    ->UseManualTime();
BENCHMARK(BM_Step<Whole>)
    ->ArgsProduct({{1'000, 1'000'000}, {0, 1}})
    ->ArgNames({"users", "habit"})
    ->UseManualTime();
BENCHMARK(BM_Step<WholeWithChampion>)
    ->ArgsProduct({{1'000, 1'000'000}, {0, 1}})
    ->ArgNames({"users", "habit"})
    ->UseManualTime();

/// How long single steps take, the clock's own cost included: the p99.9 of a second's budget.
void BM_StepQuantiles(benchmark::State& state) {
  Talk talk(static_cast<std::size_t>(state.range(0)));
  Whole engine(talk.users());
  engine::Effects effects;
  std::vector<Event> events;
  std::vector<double> times_ns;
  SteadyTime now{std::chrono::seconds{kStart_s}};
  for (auto _ : state) {
    engine.second(now += std::chrono::seconds{1}, effects);
    talk.talk(now, 1, events);
    effects.clear();
    for (const Event& event : events) {
      timespec begin{}, end{};
      clock_gettime(CLOCK_MONOTONIC, &begin);
      engine.step(event, effects);
      clock_gettime(CLOCK_MONOTONIC, &end);
      effects.clear();
      times_ns.push_back(static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                         static_cast<double>(end.tv_nsec - begin.tv_nsec));
    }
  }
  const auto quantile = [&](double q) {
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(times_ns.size() - 1));
    std::nth_element(times_ns.begin(), times_ns.begin() + at, times_ns.end());
    return times_ns[static_cast<std::size_t>(at)];
  };
  state.counters["p50_ns"] = quantile(.5);
  state.counters["p99_ns"] = quantile(.99);
  state.counters["p99.9_ns"] = quantile(.999);
}
BENCHMARK(BM_StepQuantiles)->Arg(1'000)->Arg(100'000)->Iterations(200);

/// What the second's exchange costs: ticks, commons, absorbing.
void BM_Second(benchmark::State& state) {
  Talk talk(static_cast<std::size_t>(state.range(0)));
  Whole engine(talk.users());
  engine::Effects effects;
  std::vector<Event> events;
  SteadyTime now{std::chrono::seconds{kStart_s}};
  engine.second(now, effects);
  for (auto _ : state) {
    talk.talk(now, 1, events);
    for (const Event& event : events) engine.step(event, effects);
    effects.clear();
    const double begin = cpu_now_s();
    engine.second(now += std::chrono::seconds{1}, effects);
    state.SetIterationTime(cpu_now_s() - begin);
  }
}
BENCHMARK(BM_Second)->Arg(1'000)->Arg(100'000)->UseManualTime()->Iterations(50);

}  // namespace

BENCHMARK_MAIN();
