#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/detect/rings.hpp"
#include "core/detect/statistics.hpp"

namespace liminal::detect {
namespace {

/// Ordinary messages of many users in turn: the state does not stay in the first cache.
void BM_Message(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<UserStatistics> users(count);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back("user" + std::to_string(i));
  const Options options;
  Population population;
  Contribution learnt;
  Findings findings;
  Random random(1);
  const traffic::Name channel{"lobby"}, address{"10.1.2.3"};
  SteadyTime now{std::chrono::hours{1}};
  std::size_t user = 0;
  for (auto _ : state) {
    traffic::Event event;
    event.user = traffic::Name{names[user], user + 1};
    event.address = address;
    event.channels = {&channel, 1};
    event.bytes = 20 + static_cast<std::uint32_t>(random.below(60));
    event.content_hash = random.bits();
    findings.clear();
    benchmark::DoNotOptimize(users[user].step(event, now, options, population, learnt, findings));
    if (learnt.notes.size() >= Contribution::kNotesMax) learnt.clear();
    // Each user about every 30 s.
    now +=
        Duration{static_cast<Duration::rep>(6e10 / static_cast<double>(count) * random.uniform())};
    user = user + 1 == count ? 0 : user + 1;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_user"] = sizeof(UserStatistics);
}
BENCHMARK(BM_Message)->Arg(100)->Arg(1'000)->Arg(100'000);

/// One user who floods: every message is a finding with its evidence.
void BM_Flood(benchmark::State& state) {
  UserStatistics user;
  const Options options;
  Population population;
  std::vector<Contribution> learnt(1);
  population.learn(learnt, SteadyTime{}, Duration{});
  learnt[0].messages = 1;
  population.learn(learnt, SteadyTime{std::chrono::hours{1}}, Duration{});
  Findings findings;
  SteadyTime now{std::chrono::hours{1}};
  for (auto _ : state) {
    traffic::Event event;
    event.user = traffic::Name{"flooder", 7};
    event.bytes = 40;
    findings.clear();
    benchmark::DoNotOptimize(user.step(event, now, options, population, learnt[0], findings));
    now += std::chrono::milliseconds{20};
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Flood);

/// What is learnt of 64 shards once a second.
void BM_PopulationSecond(benchmark::State& state) {
  Population population;
  std::vector<Contribution> shards(64);
  for (Contribution& shard : shards) {
    shard.messages = shard.active = 10;
    for (Moments& moments : shard.counts) moments.add(1, .5);
  }
  SteadyTime now{};
  for (auto _ : state) {
    now += std::chrono::seconds{1};
    benchmark::DoNotOptimize(population.learn(shards, now, Duration{}));
  }
}
BENCHMARK(BM_PopulationSecond);

}  // namespace
}  // namespace liminal::detect
