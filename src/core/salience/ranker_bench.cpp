#include <benchmark/benchmark.h>

#include "core/base/random.hpp"
#include "core/salience/prior.hpp"
#include "core/salience/ranker.hpp"

namespace liminal::salience {
namespace {

/// Events of many types and sources, as many a minute as a busy site has.
void BM_Observe(benchmark::State& state) {
  Ranker ranker;
  Random random(1);
  std::vector<Item> finals;
  SteadyTime now{std::chrono::hours{1}};
  for (auto _ : state) {
    const std::uint64_t type = mix64(random.below(40)), source = random.below(200);
    benchmark::DoNotOptimize(ranker.observe(type, source, now, finals));
    finals.clear();
    now += std::chrono::milliseconds{10};
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Observe);

void BM_Prior(benchmark::State& state) {
  Fields fields;
  fields[Field::kSeverity] = 1;
  fields[Field::kFrequency] = .8;
  fields[Field::kCpuUsage] = .9;
  for (auto _ : state) benchmark::DoNotOptimize(prior(fields));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Prior);

}  // namespace
}  // namespace liminal::salience
