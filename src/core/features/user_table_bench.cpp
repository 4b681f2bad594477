#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/features/user_table.hpp"

namespace liminal::features {
namespace {

using traffic::Name;

struct State {
  std::uint64_t count = 0;
  char rest[900];
};

struct Users {
  explicit Users(std::size_t count) : table(count) {
    for (std::size_t i = 0; i < count; ++i) ids.push_back("user-" + std::to_string(i));
    for (const std::string& id : ids) {
      names.emplace_back(id);
      table.find_or_add(names.back());
    }
    Random random(1);
    for (int i = 0; i < 1 << 16; ++i) order.push_back(random.below(count));
  }
  std::vector<std::string> ids;
  std::vector<Name> names;
  std::vector<std::size_t> order;
  UserTable<State> table;
};

/// Random users, so that neither caches nor branch prediction know who comes next.
void BM_Find(benchmark::State& state) {
  Users users(static_cast<std::size_t>(state.range(0)));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t user = users.order[next++ & 0xffff];
    benchmark::DoNotOptimize(users.table.find(users.names[user]));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Find)->Arg(1)->Arg(1'000)->Arg(16'000)->Arg(1'000'000);

void BM_FindOrAdd(benchmark::State& state) {
  Users users(static_cast<std::size_t>(state.range(0)));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t user = users.order[next++ & 0xffff];
    ++users.table.find_or_add(users.names[user]).count;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes/user"] =
      static_cast<double>(users.table.memory_bytes()) / static_cast<double>(users.table.size());
}
BENCHMARK(BM_FindOrAdd)->Arg(1)->Arg(1'000)->Arg(16'000)->Arg(1'000'000);

/// A table at its cap and nobody comes twice: what an attack with invented users costs.
void BM_Evict(benchmark::State& state) {
  UserTable<State> table(16'000);
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::string id = std::to_string(++number);
    benchmark::DoNotOptimize(table.find_or_add(Name(id)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Evict);

}  // namespace
}  // namespace liminal::features
