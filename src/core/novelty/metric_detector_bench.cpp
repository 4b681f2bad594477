#include <benchmark/benchmark.h>

#include <vector>

#include "core/base/random.hpp"
#include "core/novelty/metric_detector.hpp"

namespace liminal::novelty {
namespace {

/// One point for each of many series in turn: the state does not stay in the first cache.
void BM_Step(benchmark::State& state) {
  std::vector<MetricDetector> series(static_cast<std::size_t>(state.range(0)));
  Random random(1);
  std::vector<double> points(65'536);
  for (double& point : points) point = random.normal();
  for (int i = 0; i < 300; ++i) {
    for (MetricDetector& detector : series) detector.step(random.normal());
  }
  std::size_t at = 0, next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(series[at].step(points[next++ & 65'535U]));
    at = at + 1 == series.size() ? 0 : at + 1;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_a_series"] = sizeof(MetricDetector);
}
BENCHMARK(BM_Step)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace liminal::novelty
