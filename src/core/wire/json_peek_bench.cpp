#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/wire/json_peek.hpp"

namespace liminal::wire {
namespace {

/// A chat message with its text before the keys that are looked for: all of it must be passed.
void BM_Look(benchmark::State& state) {
  const std::vector<std::string> paths = {"channel", "type"};
  JsonPeek peek(paths);
  std::string text = R"({"content":")";
  text.append(static_cast<std::size_t>(state.range(0)) - 49, 'x');
  text += R"(","type":"publish","channel":"lobby"})";
  for (auto _ : state) benchmark::DoNotOptimize(peek.look(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(BM_Look)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace liminal::wire
