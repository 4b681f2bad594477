#include <benchmark/benchmark.h>

#include "core/base/hash.hpp"
#include "io/sqlite/store.hpp"
#include "io/sqlite/test_records.hpp"

namespace liminal::sqlite {
namespace {

std::unique_ptr<Store> a_store(const TemporaryDirectory& directory, bool survive_power_loss) {
  Store::Options options;
  options.directory = directory.path();
  options.survive_power_loss = survive_power_loss;
  options.queue.sampling.rows_per_second = 50'000;
  options.queue.rows_max = 1'000'000;
  return *Store::open(options);
}

/// From a request to its durable acknowledgement, one at a time.
void acknowledged_write(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto store = a_store(directory, state.range(0) != 0);
  std::uint64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(store->commit({an_alert(1, ++number)}).get());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(acknowledged_write)->ArgName("power_loss")->Arg(0)->Arg(1)->UseRealTime();

/// Alerts that nobody waits for one by one, until the last is committed.
void alerts_in_batches(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto store = a_store(directory, false);
  std::uint64_t number = 0;
  for (auto _ : state) {
    for (int i = 0; i < 1'000; ++i) (void)store->put(Write{an_alert(1, ++number)});
    benchmark::DoNotOptimize(store->commit({an_alert(1, ++number)}).get());
  }
  state.SetItemsProcessed(state.iterations() * 1'001);
}
BENCHMARK(alerts_in_batches)->UseRealTime();

void feature_rows_written(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto store = a_store(directory, false);
  std::int64_t number = 0;
  for (auto _ : state) {
    for (int i = 0; i < 1'000; ++i, ++number)
      store->put_row(a_row("user" + std::to_string(number % 50'000), at_s(number / 1'000)));
    benchmark::DoNotOptimize(store->commit({Meta{"a", "b"}}).get());
  }
  state.SetItemsProcessed(state.iterations() * 1'000);
}
BENCHMARK(feature_rows_written)->UseRealTime();

void fifty_recent_alerts(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto store = a_store(directory, false);
  for (std::uint64_t number = 1; number <= 10'000; ++number)
    (void)store->put(Write{an_alert(1, number, "user" + std::to_string(number % 100))});
  (void)store->commit({Meta{"a", "b"}}).get();
  AlertQuery query;
  if (state.range(0) != 0) query.user = "user7";
  for (auto _ : state) benchmark::DoNotOptimize(store->alerts(query));
}
BENCHMARK(fifty_recent_alerts)->ArgName("of_a_user")->Arg(0)->Arg(1);

void asked_for_a_row(benchmark::State& state) {
  FeatureSampler sampler({});
  std::uint64_t user = 0;
  for (auto _ : state) {
    ++user;
    benchmark::DoNotOptimize(sampler.take(mix64(user % 100'000), at_s(0) + Duration{user * 1'000}));
  }
}
BENCHMARK(asked_for_a_row);

}  // namespace
}  // namespace liminal::sqlite
