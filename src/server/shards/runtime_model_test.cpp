#include <gtest/gtest.h>

#include <array>
#include <future>
#include <thread>

#include "core/base/random.hpp"
#include "core/models/test_models.hpp"
#include "server/shards/testing.hpp"

namespace liminal::shards {
namespace {

using namespace testing;
using engine::Champion;
using engine::ModelFault;
using std::chrono::milliseconds;

/// A probability that rises with messages a minute: one half at 40.
std::shared_ptr<const Champion> rate_champion(std::uint32_t version) {
  models::Model model;
  model.metadata.task = models::Task::kClassification;
  model.metadata.features = {{"messages_per_minute", "1/min"}};
  model.predictor = models::Linear{{}, {.2F}, -8, models::Link::kLogistic};
  return *Champion::create(std::move(model), version, {});
}

/// Keeps the inputs of every shard, to give them to another.
struct Tape : Recorder {
  using Input = std::function<void(engine::Shard&, engine::Second&, engine::Effects&)>;
  void keep(ShardId shard, Input input) {
    const std::lock_guard lock(mutexes[index(shard)]);
    inputs[index(shard)].push_back(std::move(input));
  }
  void event(ShardId shard, std::uint64_t, const traffic::Event& event) override {
    keep(shard, [kept = traffic::StoredEvent(event)](auto& to, auto&, auto& out) {
      to.step(kept.view(), out);
    });
  }
  void tick(ShardId shard, std::uint64_t, SteadyTime now) override {
    keep(shard, [now](auto& to, auto& told, auto& out) { to.tick(now, told, out); });
  }
  void absorb(ShardId shard, std::uint64_t, const engine::Exchange& exchange) override {
    keep(shard, [exchange](auto& to, auto&, auto& out) { to.absorb(exchange, out); });
  }
  void call(ShardId shard, std::uint64_t, const engine::Call& call) override {
    keep(shard, [call](auto& to, auto&, auto& out) { (void)engine::carry_out(call, to, out); });
  }
  std::array<std::mutex, kShards> mutexes;
  std::array<std::vector<Input>, kShards> inputs;
};

engine::Counters counters_of(Runtime& runtime) {
  auto sum = std::make_shared<std::pair<std::mutex, engine::Counters>>();
  wait_for([&](auto done) {
    ASSERT_TRUE(runtime.ask_all(
        [sum](OwnedShard& shard) {
          const std::lock_guard lock(sum->first);
          sum->second += shard->counters();
        },
        done));
  });
  return sum->second;
}

std::vector<traffic::StoredEvent> busy_second(int second, Random& random) {
  std::vector<traffic::StoredEvent> events;
  for (int user = 0; user < 40; ++user)
    for (std::uint64_t i = random.below(4); i > 0; --i)
      events.push_back(message("user" + std::to_string(user), second));
  for (int user = 0; user < 4; ++user)
    for (int i = 0; i < 8; ++i)
      events.push_back(message("flooder" + std::to_string(user), second + i * .1));
  return events;
}

const traffic::Alert* alert_of(Collector& sink, traffic::FindingType type) {
  const std::lock_guard lock(sink.mutex);
  for (const traffic::Alert& alert : sink.raised)
    if (alert.type == type) return &alert;
  return nullptr;
}

/// Lives and plays seconds until something is so.
template <class Condition>
void play_until(Runtime& runtime, HandClock& hand, Condition&& condition) {
  Random random(5);
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (int second = 1; !condition(); ++second) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    live(runtime, hand, 1);
    wait_for([&](auto done) { ASSERT_TRUE(runtime.submit(busy_second(second, random), done)); });
  }
}

TEST(RuntimeModels, ChangeUnderLoadWithoutALostStepAndAReplayGivesTheSameBits) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Tape tape;
  Runtime runtime({.threads = 2, .inference = {.row_budget = milliseconds{100}}},
                  settings(),
                  clock,
                  sink,
                  &tape);
  runtime.set_champion(rate_champion(1));
  runtime.start();
  std::atomic<bool> enough{false};
  std::uint32_t version = 1;
  std::thread changer([&] {
    while (!enough) {
      const std::uint32_t next = version % 2 + 1;
      runtime.set_champion(rate_champion(next));
      const auto give_up = std::chrono::steady_clock::now() + kPatience;
      while (runtime.champion_version() != next) {
        ASSERT_LT(std::chrono::steady_clock::now(), give_up);
        std::this_thread::yield();
      }
      version = next;
    }
  });
  Random random(11);
  std::uint64_t sent = 0;
  for (int second = 1; second <= 30; ++second) {
    live(runtime, hand, 1);
    auto events = busy_second(second, random);
    sent += events.size();
    wait_for([&](auto done) { ASSERT_TRUE(runtime.submit(std::move(events), done)); });
  }
  enough = true;
  changer.join();
  const engine::Counters counters = counters_of(runtime);
  EXPECT_EQ(counters.events[0], sent);
  EXPECT_GT(counters.scores_asked, sent / 20);
  EXPECT_GT(counters.scores_answered, counters.scores_asked / 2);
  runtime.stop();
  ASSERT_NE(alert_of(sink, traffic::FindingType::kModelAnomaly), nullptr);
  EXPECT_EQ(alert_of(sink, traffic::FindingType::kModelUnavailable), nullptr);

  engine::Second told;
  engine::Effects effects;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    const ShardId id{static_cast<std::uint8_t>(i)};
    engine::Shard again(id, settings(), SteadyTime{kDate});
    for (const Tape::Input& input : tape.inputs[i]) {
      input(again, told, effects);
      effects.clear();
    }
    Writer out;
    again.save(out);
    EXPECT_TRUE(out.bytes() == runtime.save_now(id, ~0ULL).bytes) << i;
    EXPECT_EQ(again.champion().version, version);
  }
}

TEST(RuntimeModels, AlarmsAreExplainedBesideTheThreadsOfTheShards) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime(
      {.threads = 2, .inference = {.row_budget = milliseconds{100}}}, settings(), clock, sink);
  runtime.set_champion(rate_champion(4));
  runtime.start();
  play_until(runtime, hand, [&] {
    return alert_of(sink, traffic::FindingType::kModelAnomaly) != nullptr;
  });
  runtime.stop();
  const traffic::Finding& finding = alert_of(sink, traffic::FindingType::kModelAnomaly)->first;
  EXPECT_EQ(finding.model_version, 4u);
  ASSERT_EQ(finding.evidence_count, 2);
  EXPECT_NEAR(finding.evidence[1].contribution, finding.score, 1e-4);
  EXPECT_GT(runtime.inference_seconds().sum, 0);
}

TEST(RuntimeModels, ASlowOneIsTakenOutWithAnAlert) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  std::mutex mutex;
  std::vector<ModelFault> faults;
  Random random(3);
  models::Model model;
  model.metadata.task = models::Task::kClassification;
  model.metadata.features = {{"messages_per_minute", ""}, {"avg_message_size", ""}};
  model.predictor = models::Trees{
      {}, models::testing::trees(random, 3000, 2, {}), false, -20, models::Link::kLogistic};
  Runtime runtime({.threads = 2,
                   .inference = {.row_budget = std::chrono::nanoseconds{100}},
                   .on_model_fault =
                       [&](const ModelFault& fault) {
                         const std::lock_guard lock(mutex);
                         faults.push_back(fault);
                       }},
                  settings(),
                  clock,
                  sink);
  runtime.set_champion(*Champion::create(std::move(model), 9, {}));
  runtime.start();
  play_until(runtime, hand, [&] {
    return alert_of(sink, traffic::FindingType::kModelUnavailable) != nullptr;
  });
  EXPECT_EQ(runtime.champion_version(), 0u);
  runtime.stop();
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].kind, ModelFault::Kind::kSlow);
  EXPECT_EQ(faults[0].version, 9u);
  EXPECT_EQ(alert_of(sink, traffic::FindingType::kModelUnavailable)->severity,
            traffic::Severity::kHigh);
}

TEST(RuntimeModels, OneThatDoesNotComeBackDelaysNoMessage) {
  struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
  };
  const auto gate = std::make_shared<Gate>();
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime(
      {.threads = 2, .inference = {.patience = milliseconds{10}}}, settings(), clock, sink);
  runtime.set_champion(*Champion::foreign(
      {.version = 5}, {"messages_per_minute"}, [gate](std::span<const float>, std::span<float>) {
        gate->opened.wait();
        return true;
      }));
  runtime.start();
  play_until(runtime, hand, [&] {
    return alert_of(sink, traffic::FindingType::kModelUnavailable) != nullptr;
  });
  EXPECT_EQ(runtime.champion_version(), 0u);
  EXPECT_GT(runtime.scores_late() + counters_of(runtime).scores_asked, 0u);
  gate->open.set_value();
  runtime.stop();
}

}  // namespace
}  // namespace liminal::shards
