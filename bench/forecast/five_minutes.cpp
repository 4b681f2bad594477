#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "io/csv/table.hpp"
#include "measures.hpp"

namespace bench {
namespace {

using namespace liminal;

constexpr std::size_t kHour = 12, kDay = 24 * kHour;
/// As the server keeps of its own series.
constexpr std::size_t kPastMax = 16 * kDay;
constexpr std::size_t kOrigins = 8;
constexpr double kLevels[] = {.025, .975, .1, .9};

struct Series {
  std::string name;
  std::vector<double> values;
};

/// The second column of a file, in sums of so many rows.
Series read(const std::filesystem::path& path, std::size_t rows) {
  std::ifstream in(path, std::ios::binary);
  Series series{path.stem().string(), {}};
  auto table = csv::Table::open(in, {.header = csv::Header::kPresent});
  double sum = 0;
  for (std::size_t row = 1; table; ++row) {
    const auto more = table->next();
    if (!more || !*more) break;
    sum += table->number(1).value_or(0);
    if (row % rows == 0) series.values.push_back(std::exchange(sum, 0));
  }
  return series;
}

/// What is there, in the order of the names: two files of a row a minute, and NAB's of five.
std::vector<Series> read_all(const std::filesystem::path& data) {
  std::vector<std::filesystem::path> five;
  for (const char* const folder : {"realAWSCloudwatch", "realTweets"}) {
    const auto of = data / "nab" / "data" / folder;
    if (!std::filesystem::is_directory(of)) continue;
    for (const auto& file : std::filesystem::directory_iterator(of)) five.push_back(file.path());
  }
  for (const char* const name : {"ec2_request_latency_system_failure", "rogue_agent_key_updown"}) {
    const auto file = data / "nab" / "data" / "realKnownCause" / (std::string(name) + ".csv");
    if (std::filesystem::exists(file)) five.push_back(file);
  }
  std::sort(five.begin(), five.end());
  std::vector<Series> all;
  for (const auto& file : five) all.push_back(read(file, 1));
  for (const char* const name : {"twitter_per_minute", "worldcup98_per_minute"}) {
    const auto file = data / "load" / (std::string(name) + ".csv");
    if (std::filesystem::exists(file)) all.push_back(read(file, 5));
  }
  return all;
}

forecast::Forecast flat(const std::vector<double>& past, std::size_t season, std::size_t steps) {
  forecast::Forecast said;
  for (std::size_t h = 0; h < steps; ++h)
    said.mean.push_back(past[past.size() - season + h % season]);
  said.quantiles.assign(std::size(kLevels), said.mean);
  return said;
}

enum class Way { kOurs, kTold, kLast, kDayBefore };
constexpr std::array kWays = {Way::kOurs, Way::kTold, Way::kLast, Way::kDayBefore};
constexpr const char* kNames[] = {
    "seasons found by test", "told a day of 288", "naive, the last", "naive, a day before"};

Result<forecast::Forecast> say(Way way, const std::vector<double>& past, std::size_t steps) {
  if (way == Way::kLast) return flat(past, 1, steps);
  if (way == Way::kDayBefore) return flat(past, kDay, steps);
  forecast::Options options;
  options.horizon = static_cast<std::uint32_t>(steps);
  if (way == Way::kTold) options.seasons = forecast::Seasons{kDay, 0};
  forecast::Forecaster forecaster(options);
  for (const double value : past) forecaster.learn(value);
  if (auto fitted = forecaster.refit(); !fitted) return tl::unexpected(fitted.error());
  return forecaster.forecast(options.horizon, kLevels);
}

struct Sums {
  Measures all, halves[2];
  double logs = 0, count = 0;
};

bool run_ahead(const std::vector<Series>& all, std::size_t steps, bool verbose) {
  std::array<Sums, kWays.size()> sums;
  std::size_t number = 0;
  for (const Series& series : all) {
    const std::size_t n = series.values.size();
    if (n < 4 * kDay) continue;
    std::array<Measures, kWays.size()> own;
    for (std::size_t k = 1; k <= kOrigins; ++k) {
      // Through the second half, at other times of the day.
      const std::size_t at = n / 2 + (n / 2 - kDay) * k / kOrigins;
      const auto begin = series.values.begin();
      const std::vector<double> past(
          begin + static_cast<std::ptrdiff_t>(at - std::min(at, kPastMax)),
          begin + static_cast<std::ptrdiff_t>(at));
      const std::vector<double> actual(begin + static_cast<std::ptrdiff_t>(at),
                                       begin + static_cast<std::ptrdiff_t>(at + steps));
      for (std::size_t way = 0; way < kWays.size(); ++way) {
        const double started = cpu_seconds();
        const auto said = say(kWays[way], past, steps);
        if (!said) return false;
        Measures m = measure(past, actual, *said, kDay);
        m.seconds = cpu_seconds() - started;
        own[way].add(m);
      }
    }
    for (std::size_t way = 0; way < kWays.size(); ++way) {
      sums[way].all.add(own[way]);
      sums[way].halves[number % 2].add(own[way]);
      sums[way].logs += std::log(std::max(1e-9, own[way].mase / kOrigins));
      ++sums[way].count;
      if (verbose) own[way].print(series.name.substr(0, 12) + " " + kNames[way], kOrigins);
    }
    ++number;
  }
  const double count = static_cast<double>(number * kOrigins);
  fmt::print(
      "{} steps ahead, {} series of five minutes, {} origins each\n{:<24} {:>7} {:>6} {:>6}  "
      "{:>6}  {:>6}\n",
      steps,
      number,
      kOrigins,
      "",
      "sMAPE",
      "MASE",
      "MSIS",
      "in 95%",
      "in 80%");
  for (std::size_t way = 0; way < kWays.size(); ++way) {
    sums[way].all.print(kNames[way], count);
    fmt::print("  MASE, geometric mean of the series {:.3f}\n",
               std::exp(sums[way].logs / sums[way].count));
    if (kWays[way] == Way::kOurs) {
      sums[way].halves[0].print("  1st, 3rd, …",
                                std::ceil(static_cast<double>(number) / 2) * kOrigins);
      sums[way].halves[1].print("  2nd, 4th, …",
                                std::floor(static_cast<double>(number) / 2) * kOrigins);
    }
  }
  return true;
}

}  // namespace

int run_five_minutes(const std::string& data, bool verbose) {
  const std::vector<Series> all = read_all(data);
  if (all.empty()) {
    fmt::print(stderr, "bench_forecast: {}: neither nab/data nor load is there\n", data);
    return 1;
  }
  return run_ahead(all, kHour, verbose) && run_ahead(all, kDay, verbose) ? 0 : 1;
}

}  // namespace bench
