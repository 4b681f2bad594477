#include <benchmark/benchmark.h>

#include <vector>

#include "core/limits/decide.hpp"

namespace liminal::limits {
namespace {

/// One message each of many users in turn behind a tenth as many addresses: decision and
/// adaptation, as a shard does it. A microsecond apart, so with one user nearly all are refused.
void BM_DecideAndAdapt(benchmark::State& state) {
  const Policies policies{Options{}};
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<UserLimits> users(count);
  std::vector<AddressLimits> addresses(count / 10 + 1);
  traffic::Event event;
  event.user = traffic::Name("ann");
  event.address = traffic::Name("10.0.0.1");
  event.bytes = 42;
  SteadyTime now{std::chrono::hours{24 * 365 * 50}};
  std::size_t user = 0;
  for (auto _ : state) {
    AddressLimits& address = addresses[user / 10];
    benchmark::DoNotOptimize(decide(policies, users[user], &address, nullptr, event, now));
    users[user].adapt(policies, .1F, now);
    now += std::chrono::microseconds{1};
    user = user + 1 == count ? 0 : user + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DecideAndAdapt)->Arg(1)->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace liminal::limits
