#include <benchmark/benchmark.h>

#include <string>

#include "io/json/event_reader.hpp"

namespace liminal::json {
namespace {

// A body as large as a busy server posts at once; the sink does nothing, so this is reading alone.
void read_trace(benchmark::State& state) {
  std::string body;
  constexpr int kLines = 1000;
  for (int i = 0; i < kLines; ++i) {
    body += R"({"t":)" + std::to_string(i) + R"(.5,"user":"u)" + std::to_string(i % 97) +
            R"(","kind":"message","bytes":30,"ip":"10.76.75.165"})" + "\n";
  }
  EventReader reader;
  std::uint64_t good = 0;
  for (auto _ : state) {
    static_cast<void>(
        reader.read_all(body, std::nullopt, [&good](std::uint64_t, const EventResult& event) {
          if (event) ++good;
        }));
  }
  benchmark::DoNotOptimize(good);
  state.SetItemsProcessed(state.iterations() * kLines);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(read_trace);

}  // namespace
}  // namespace liminal::json
