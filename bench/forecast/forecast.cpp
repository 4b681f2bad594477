// Forecast quality and time on M4's hourly series; README.md has the method.
#include <fmt/core.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/forecast/forecaster.hpp"
#include "five_minutes.hpp"
#include "io/csv/table.hpp"
#include "measures.hpp"
#include "short_series.hpp"

namespace {

using namespace liminal;
using bench::cpu_seconds;
using bench::measure;
using bench::Measures;

struct Series {
  std::string name;
  std::vector<double> values;
};

/// The rows of a file: a name, then values up to the first that is missing.
std::vector<Series> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<Series> found;
  auto table = csv::Table::open(in, {.header = csv::Header::kPresent, .ragged = true});
  while (table) {
    const auto more = table->next();
    if (!more || !*more) break;
    Series series{std::string(table->field(0)), {}};
    for (std::size_t i = 1; i < table->fields().size(); ++i) {
      const auto value = table->number(i);
      if (!value || std::isnan(*value)) break;
      series.values.push_back(*value);
    }
    found.push_back(std::move(series));
  }
  return found;
}

/// Requests an hour of a file of requests a minute.
std::vector<double> hours_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<double> hours;
  auto table = csv::Table::open(in, {.header = csv::Header::kPresent});
  for (std::size_t minute = 0; table; ++minute) {
    const auto more = table->next();
    if (!more || !*more) break;
    if (minute % 60 == 0) hours.push_back(0);
    hours.back() += table->number(1).value_or(0);
  }
  if (!hours.empty()) hours.pop_back();  // it may not be whole
  return hours;
}

constexpr std::uint32_t kAhead = 48;
constexpr std::size_t kFirstOrigin = 21 * 24, kEvery = 24;

/// What was there the season before, with no interval.
forecast::Forecast naive(const std::vector<double>& past, std::size_t season) {
  forecast::Forecast said;
  for (std::size_t h = 0; h < kAhead; ++h)
    said.mean.push_back(past[past.size() - season + h % season]);
  said.quantiles.assign(4, said.mean);
  return said;
}

/// Two days of load ahead, from every midnight after three weeks.
int run_load(const std::string& path) {
  const std::vector<double> hours = hours_of(path);
  if (hours.size() < kFirstOrigin + kAhead) {
    fmt::print(stderr, "bench_forecast: {}: less than 23 days of minutes\n", path);
    return 1;
  }
  using forecast::ErrorMeasure;
  constexpr double kLevels[] = {.025, .975, .1, .9};
  constexpr std::size_t kWays = 4, kOurs = 2;
  const char* const names[kWays] = {"by relative error", "by both", "naive, 168 h", "naive, 24 h"};
  const ErrorMeasure by[kOurs] = {ErrorMeasure::kRelative, ErrorMeasure::kGeometric};
  Measures sums[kWays];
  double logs[kWays] = {};
  double origins = 0;
  for (std::size_t at = kFirstOrigin; at + kAhead <= hours.size(); at += kEvery, ++origins) {
    const std::vector<double> past(hours.begin(), hours.begin() + static_cast<std::ptrdiff_t>(at));
    const std::vector<double> actual(hours.begin() + static_cast<std::ptrdiff_t>(at),
                                     hours.begin() + static_cast<std::ptrdiff_t>(at + kAhead));
    for (std::size_t way = 0; way < kWays; ++way) {
      const double begin = cpu_seconds();
      forecast::Forecast said = naive(past, way == kOurs ? 168 : 24);
      if (way < kOurs) {
        forecast::Options options;
        options.horizon = kAhead;
        options.seasons = forecast::Seasons{24, 168};
        options.measure = by[way];
        forecast::Forecaster forecaster(options);
        for (const double value : past) forecaster.learn(value);
        if (!forecaster.refit()) return 1;
        auto made = forecaster.forecast(kAhead, kLevels);
        if (!made) return 1;
        said = std::move(*made);
      }
      Measures m = measure(past, actual, said);
      m.seconds = cpu_seconds() - begin;
      sums[way].add(m);
      logs[way] += std::log(m.mase);
    }
  }
  fmt::print(
      "{} hours, {} origins; MASE's geometric mean over the origins last\n{:<24} {:>7} {:>6} "
      "{:>6}  {:>6}  {:>6}\n",
      hours.size(),
      origins,
      "",
      "sMAPE",
      "MASE",
      "MSIS",
      "in 95%",
      "in 80%");
  for (std::size_t way = 0; way < kWays; ++way) {
    sums[way].print(names[way], origins);
    fmt::print("{:>31.3f}\n", std::exp(logs[way] / origins));
  }
  return 0;
}

int run(const std::string& folder, bool detect, bool verbose) {
  const auto train = read(folder + "/train.csv");
  const auto test = read(folder + "/test.csv");
  if (train.empty() || train.size() != test.size()) {
    fmt::print(
        stderr, "bench_forecast: {}: no train.csv and test.csv of the same series\n", folder);
    return 1;
  }
  constexpr double kLevels[] = {.025, .975, .1, .9};
  Measures all, halves[2];
  std::size_t daily = 0, weekly = 0, shifts = 0;
  for (std::size_t i = 0; i < train.size(); ++i) {
    forecast::Options options;
    options.horizon = static_cast<std::uint32_t>(test[i].values.size());
    if (!detect) options.seasons = forecast::Seasons{24, 168};
    const double begin = cpu_seconds();
    forecast::Forecaster forecaster(options);
    for (const double value : train[i].values) forecaster.learn(value);
    if (!forecaster.refit()) return 1;
    const auto said = forecaster.forecast(options.horizon, kLevels);
    const double seconds = cpu_seconds() - begin;
    if (!said) return 1;
    Measures m = measure(train[i].values, test[i].values, *said);
    m.seconds = seconds;
    all.add(m);
    halves[i % 2].add(m);
    const forecast::Model& model = *forecaster.model();
    daily += model.plan.seasons.day == 24;
    weekly += model.plan.seasons.week == 168;
    shifts += model.shift_at > 0;
    if (verbose) {
      m.print(fmt::format("{} {}/{} {}",
                          train[i].name,
                          model.plan.seasons.day,
                          model.plan.seasons.week,
                          model.shift_at > 0 ? "shift" : ""),
              1);
    }
  }
  const auto count = static_cast<double>(train.size());
  fmt::print(
      "{:<24} {:>7} {:>6} {:>6}  {:>6}  {:>6}\n", "", "sMAPE", "MASE", "MSIS", "in 95%", "in 80%");
  all.print(fmt::format("{} series", train.size()), count);
  halves[0].print("1st, 3rd, …", std::ceil(count / 2));
  halves[1].print("2nd, 4th, …", std::floor(count / 2));
  fmt::print(
      "day of 24 used in {}, week of 168 in {}, level shifts in {}\n", daily, weekly, shifts);
  return 0;
}

/// Hours of a made-up load with a day, a quiet weekend and noise of ±5 %.
std::vector<double> made_up(std::size_t hours, std::uint64_t seed) {
  constexpr double kTurn = 6.283185307179586;
  Random random(seed);
  std::vector<double> values;
  for (std::size_t t = 0; t < hours; ++t) {
    const double day = 1 + .5 * std::sin(kTurn * static_cast<double>(t % 24) / 24);
    const double week = t / 24 % 7 >= 5 ? .6 : 1;
    values.push_back(1000 * day * week * (1 + random.uniform(-.05, .05)));
  }
  return values;
}

/// Two days ahead of made-up loads whose level moved shortly before, and of some whose level came
/// back at the end.
int run_shifts() {
  constexpr double kLevels[] = {.025, .975, .1, .9};
  constexpr std::uint64_t kSeeds = 40;
  constexpr std::size_t kWeeks = 5 * 168;
  fmt::print("{:>6} {:>6} {:>8} {:>7} {:>7}   {:>8} {:>7} {:>7}\n",
             "factor",
             "hours",
             "error",
             "in 95%",
             "in 80%",
             "of one that ended",
             "in 95%",
             "in 80%");
  for (const double factor : {1., .5, 2.}) {
    for (const std::size_t age : {1U, 3U, 6U, 12U, 18U, 23U, 24U, 30U}) {
      double sums[2][3] = {};
      for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        // The origin goes through the week.
        const std::size_t origin = kWeeks - (seed * 17) % 168;
        std::vector<double> all = made_up(origin + kAhead, seed);
        for (std::size_t i = origin - age; i < all.size(); ++i) all[i] *= factor;
        forecast::Options options;
        options.horizon = kAhead;
        options.seasons = forecast::Seasons{24, 168};
        forecast::Forecaster forecaster(options);
        for (std::size_t i = 0; i < origin; ++i) forecaster.learn(all[i]);
        if (!forecaster.refit()) return 1;
        const auto said = forecaster.forecast(kAhead, kLevels);
        if (!said) return 1;
        for (std::size_t h = 0; h < kAhead; ++h) {
          for (const bool ended : {false, true}) {
            const double y = all[origin + h] / (ended ? factor : 1);
            const auto inside = [&](std::size_t low, std::size_t high) {
              return y >= said->quantiles[low][h] && y <= said->quantiles[high][h] ? 1. : 0.;
            };
            double* sum = sums[ended ? 1 : 0];
            sum[0] += std::abs(y - said->mean[h]) / y;
            sum[1] += inside(0, 1);
            sum[2] += inside(2, 3);
          }
        }
      }
      constexpr auto kCount = static_cast<double>(kSeeds * kAhead);
      fmt::print("{:>6} {:>6} {:>8.3f} {:>7.3f} {:>7.3f}   {:>17.3f} {:>7.3f} {:>7.3f}\n",
                 factor,
                 age,
                 sums[0][0] / kCount,
                 sums[0][1] / kCount,
                 sums[0][2] / kCount,
                 sums[1][0] / kCount,
                 sums[1][1] / kCount,
                 sums[1][2] / kCount);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, load, five;
  bool detect = false, verbose = false, shifts = false, starting = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--detect") {
      detect = true;
    } else if (argument == "--load" && i + 1 < argc) {
      load = argv[++i];
    } else if (argument == "--five" && i + 1 < argc) {
      five = argv[++i];
    } else if (argument == "--shifts") {
      shifts = true;
    } else if (argument == "--short") {
      starting = true;
    } else if (argument == "-v") {
      verbose = true;
    } else {
      folder = argument;
    }
  }
  if (!load.empty()) return run_load(load);
  if (!five.empty()) return bench::run_five_minutes(five, verbose);
  if (shifts) return run_shifts();
  if (starting) {
    fmt::print("tuned on:\n");
    bench::run_short_series(1);
    fmt::print("reported:\n");
    return bench::run_short_series(2);
  }
  if (folder.empty()) {
    fmt::print(
        stderr,
        "usage: bench_forecast FOLDER [--detect] [-v] | --load FILE.csv | --five DATA [-v] | "
        "--shifts | --short\n");
    return 2;
  }
  return run(folder, detect, verbose);
}
