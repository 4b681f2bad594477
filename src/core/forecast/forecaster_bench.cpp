#include <benchmark/benchmark.h>

#include "core/base/hash.hpp"
#include "core/forecast/forecaster.hpp"

namespace {

using namespace liminal;
using forecast::Forecaster;

/// Hours with a day, a week and some irregularity, without libm.
double value_of(std::size_t t) {
  const double day = static_cast<double>((t % 24) * (24 - t % 24));
  return 500 + day * (t / 24 % 7 >= 5 ? 1 : 2) + static_cast<double>(mix64(t) % 64);
}

Forecaster learnt(std::size_t points) {
  forecast::Options options;
  options.seasons = forecast::Seasons{24, 168};
  Forecaster forecaster(options);
  for (std::size_t t = 0; t < points; ++t) forecaster.learn(value_of(t));
  return forecaster;
}

void learn(benchmark::State& state) {
  Forecaster forecaster = learnt(1000);
  for (std::size_t t = 1000; auto _ : state) forecaster.learn(value_of(t++));
}
BENCHMARK(learn);

void refit(benchmark::State& state) {
  Forecaster forecaster = learnt(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(forecaster.refit());
}
BENCHMARK(refit)->Arg(700)->Arg(960)->Arg(10'000)->Unit(benchmark::kMillisecond);

/// Steps of five minutes: so many known, so many ahead.
void refit_five_minutes(benchmark::State& state) {
  forecast::Options options;
  options.seasons = forecast::Seasons{288, 2016};
  options.horizon = static_cast<std::uint32_t>(state.range(1));
  Forecaster forecaster(options);
  for (std::int64_t t = 0; t < state.range(0); ++t)
    forecaster.learn(value_of(static_cast<std::size_t>(t) / 12));
  for (auto _ : state) benchmark::DoNotOptimize(forecaster.refit());
}
BENCHMARK(refit_five_minutes)
    ->ArgsProduct({{4608, 20'000}, {12, 48}})
    ->Unit(benchmark::kMillisecond);

void forecast_48(benchmark::State& state) {
  Forecaster forecaster = learnt(960);
  if (!forecaster.refit()) state.SkipWithError("no fit");
  const double levels[] = {.1, .5, .9};
  for (auto _ : state) benchmark::DoNotOptimize(forecaster.forecast(48, levels));
}
BENCHMARK(forecast_48)->Unit(benchmark::kMicrosecond);

}  // namespace
