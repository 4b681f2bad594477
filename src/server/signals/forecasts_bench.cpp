#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/signals/forecasts.hpp"

namespace {

using namespace liminal;
using signals::Forecasts;
using Step = forecast::TimedForecaster::Step;

constexpr std::size_t kSeries = 40;
constexpr std::int64_t kDay = 288, kWeek = 7 * kDay;
constexpr std::int64_t kBegin = 5'000'000;

/// Steps with a day, a week and some irregularity, without libm.
double value_of(std::size_t series, std::int64_t step) {
  const std::int64_t t = step % kDay;
  const double day = static_cast<double>(t * (kDay - t)) / 100;
  const double week = step % kWeek >= 5 * kDay ? 1 : 2;
  const auto noise =
      static_cast<double>(mix64(static_cast<std::uint64_t>(step) * kSeries + series) % 64);
  return 500 + day * week + noise;
}

/// Of forty metrics, told of at `at`.
novelty::Batch row(EventTime at) {
  novelty::Batch out;
  out.source = "own";
  out.rows.emplace_back().at = at;
  const std::int64_t step = std::chrono::floor<Step>(at.time_since_epoch()).count();
  for (std::size_t i = 0; i < kSeries; ++i) {
    out.metrics.push_back("metric_" + std::to_string(i));
    out.rows[0].values.push_back({static_cast<std::uint32_t>(i), value_of(i, step)});
  }
  return out;
}

/// Forty series that know so many days, and a task, if one is due.
struct Told {
  explicit Told(std::int64_t days) {
    for (std::int64_t step = 0; step <= days * kDay; ++step)
      observe(row(EventTime{Step{kBegin + step}}));
    next = EventTime{Step{kBegin + days * kDay}};
  }
  void observe(const novelty::Batch& batch) { forecasts.observe(batch, batch.rows[0].at); }
  void work() {
    while (task) std::exchange(task, nullptr)();
  }

  files::MemoryFileSystem disk;
  std::function<void()> task;
  Forecasts forecasts{{.folder = "data"}, disk, [this](std::function<void()> due) {
                        task = std::move(due);
                        return true;
                      }};
  EventTime next;
};

/// A row every five seconds, as the server tells it; nothing is computed there.
void observe(benchmark::State& state) {
  Told told(state.range(0));
  const auto first = told.next;
  std::vector<novelty::Batch> rows;
  for (int i = 1; i <= 600; ++i) rows.push_back(row(first + std::chrono::seconds{5 * i}));
  for (std::size_t i = 0; auto _ : state) {
    for (novelty::Batch::Row& one : rows[i % rows.size()].rows) {
      one.at = told.next += std::chrono::seconds{5};
    }
    told.observe(rows[i++ % rows.size()]);
  }
  state.counters["values"] = benchmark::Counter(static_cast<double>(kSeries),
                                                benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(observe)->Arg(16)->Unit(benchmark::kMicrosecond);

/// What is done elsewhere when a step of all forty has ended: a forecast of each, and every four
/// hours a refit.
void forecast_forty(benchmark::State& state) {
  Told told(state.range(0));
  told.work();
  const auto before = told.forecasts.counters();
  for (auto _ : state) {
    state.PauseTiming();
    told.next += Step{1};
    told.observe(row(told.next));
    state.ResumeTiming();
    told.work();
  }
  const auto after = told.forecasts.counters();
  const auto refits = static_cast<double>(after.refits - before.refits);
  state.counters["refit_ms"] =
      refits > 0 ? 1e3 * (after.refit_seconds - before.refit_seconds) / refits : 0;
  state.counters["bytes_a_series"] =
      static_cast<double>(after.bytes) / static_cast<double>(after.series);
}
BENCHMARK(forecast_forty)->Arg(1)->Arg(4)->Arg(16)->Iterations(96)->Unit(benchmark::kMillisecond);

void save(benchmark::State& state) {
  Told told(16);
  told.work();
  (void)told.disk.create_folder("data");
  for (auto _ : state) {
    state.PauseTiming();
    told.observe(row(told.next += std::chrono::seconds{5}));
    state.ResumeTiming();
    state.counters["bytes"] = static_cast<double>(told.forecasts.save(told.next).value_or(0));
  }
}
BENCHMARK(save)->Unit(benchmark::kMillisecond);

}  // namespace
