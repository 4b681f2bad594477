#include "reached.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/stats/trend.hpp"

namespace liminal::bench {
namespace {

using stats::Trend;
using Side = Trend::Side;

constexpr double kWeekS = 7 * 86'400.;
constexpr std::int64_t kDay = 1440;

double turn(std::int64_t minute, std::int64_t of) {
  return std::sin(2 * 3.14159265358979 * static_cast<double>(minute) / static_cast<double>(of));
}

struct MadeUp {
  const char* name;
  const char* truth;
  std::int64_t minutes;
  Side side;
  double limit;
  /// `state` is 0 at first, and what it leaves there is what it finds the next minute.
  std::function<double(std::int64_t minute, Random& random, double& state)> value;
};

std::vector<MadeUp> made_up() {
  const auto white = [](double mean, double noise) {
    return [=](std::int64_t, Random& random, double&) { return mean + noise * random.normal(); };
  };
  const auto leak = [](std::int64_t t, Random& random, double&) {
    return 100 + .01 * static_cast<double>(t) + .5 * random.normal();
  };
  const auto day = [](std::int64_t t, Random&, double&) { return 60 + 20 * turn(t, kDay); };
  const auto morning = [](std::int64_t t, Random& random, double&) {
    return 60 + 20 * turn(t - 240, kDay) + random.normal();
  };
  const auto walk = [](std::int64_t, Random& random, double& state) {
    state += .05 * random.normal();
    return 50 + state;
  };
  const auto reverting = [](std::int64_t, Random& random, double& state) {
    state = .99 * state + .5 * random.normal();
    return 50 + state;
  };
  const auto rotated = [](std::int64_t t, Random&, double&) {
    return 10 + 80 * static_cast<double>(t % kDay) / kDay;
  };
  const auto collected = [](std::int64_t t, Random&, double&) {
    return 80 * static_cast<double>(t % 30) / 30;
  };
  const auto cleaned = [](std::int64_t t, Random& random, double&) {
    return 1000 - .2 * static_cast<double>(t % kDay) + random.normal();
  };
  const auto busy_leak = [](std::int64_t t, Random& random, double&) {
    return 100 + 10 * turn(t, kDay) + .01 * static_cast<double>(t) + random.normal();
  };
  const auto stairs = [](std::int64_t t, Random&, double&) {
    return 100 - std::floor(static_cast<double>(t) / 600);
  };
  const auto new_leak = [](std::int64_t t, Random& random, double&) {
    return 50 + .2 * static_cast<double>(std::max<std::int64_t>(0, t - 3 * kDay + 180)) +
           .5 * random.normal();
  };
  const auto certificate = [](std::int64_t t, Random&, double&) {
    return 20. * 86'400 - 60. * static_cast<double>(t);
  };
  constexpr Side kAbove = Side::kAbove, kBelow = Side::kBelow;
  return {
      {"white noise, 3 hours", "never", 180, kAbove, 70, white(50, 2)},
      {"white noise, 3 days", "never", 3 * kDay, kAbove, 70, white(50, 2)},
      {"white noise, 20 days", "never", 20 * kDay, kAbove, 70, white(50, 2)},
      {"memory .50 ± .05", "never", 5000, kAbove, 1, white(.5, .05)},
      {"AR(1) .99, sd 3.5, limit 5.7 of them off", "rare", 3 * kDay, kAbove, 70, reverting},
      {"random walk, limit 10 off", ".04", 3 * kDay, kAbove, 60, walk},
      {"saw-tooth of 30 min, a garbage collector", "never", 3 * kDay, kAbove, 100, collected},
      {"saw-tooth of a day, at its end", "never", 3 * kDay, kAbove, 100, rotated},
      {"saw-tooth of a day, at noon", "never", 3 * kDay + 720, kAbove, 100, rotated},
      {"disk cleaned each night", "never", 5000, kBelow, 100, cleaned},
      {"a day of 40 to 80, 3 days", "never", 3 * kDay, kAbove, 90, day},
      {"the same after 18 h", "never", 1080, kAbove, 90, day},
      {"its rise of 8 h, with noise", "never", 480, kAbove, 90, morning},
      {"a day of 40 to 80, limit 78", "1", 3 * kDay, kAbove, 78, day},
      {"certificate of 17 days", "0", 3 * kDay, kBelow, 0, certificate},
      {"leak, reached in 3.9 days", "1", 3 * kDay, kAbove, 200, leak},
      {"leak, reached in 10 days", "0", 3 * kDay, kAbove, 286, leak},
      {"leak of 3 h after 3 quiet days", "1", 3 * kDay, kAbove, 200, new_leak},
      {"leak with a day, reached in 2.6 days", "1", 3 * kDay, kAbove, 180, busy_leak},
      {"stairs of 10 h, reached in 5.4 days", "1", 3 * kDay, kBelow, 80, stairs},
  };
}

// --- NAB ---

constexpr std::size_t kBlocksBefore = 432, kBlocksAhead = 1008, kFirst = 288, kEvery = 36;
constexpr std::size_t kPlacesMax = 60;
/// Beyond the highest of three days, in standard deviations of them.
constexpr double kDistances[] = {.02, .5, 1, 2, 4};

std::int64_t seconds_of(const std::string& time) {
  int y = 0, m = 0, d = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(time.c_str(), "%d-%d-%d %d:%d:%d", &y, &m, &d, &hour, &minute, &second) < 5)
    return 0;
  using namespace std::chrono;
  const sys_days day =
      year{y} / month{static_cast<unsigned>(m)} / std::chrono::day{static_cast<unsigned>(d)};
  return day.time_since_epoch().count() * 86'400LL + hour * 3600LL + minute * 60LL + second;
}

/// Means of ten minutes; where a series has fewer points, what lies between them.
std::vector<double> blocks_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::vector<double> sums, counts;
  std::int64_t first = 0;
  while (std::getline(file, line)) {
    const auto comma = line.find(',');
    const std::int64_t block = seconds_of(line.substr(0, comma)) / 600;
    if (sums.empty()) first = block;
    if (block < first) continue;
    const auto place = static_cast<std::size_t>(block - first);
    if (place >= sums.size()) {
      sums.resize(place + 1);
      counts.resize(place + 1);
    }
    sums[place] += std::stod(line.substr(comma + 1));
    counts[place] += 1;
  }
  std::size_t last = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (counts[i] == 0) continue;
    sums[i] /= counts[i];
    for (std::size_t k = last + 1; k < i; ++k)
      sums[k] = sums[last] + (sums[i] - sums[last]) * static_cast<double>(k - last) /
                                 static_cast<double>(i - last);
    last = i;
  }
  return sums;
}

struct Forecast {
  double told;
  bool came;
  std::size_t distance, series;
  bool dated;
};

void forecast(const std::vector<double>& blocks, std::size_t series, std::vector<Forecast>& out) {
  std::vector<std::size_t> places;
  for (std::size_t t = kFirst; t + kBlocksAhead < blocks.size(); t += kEvery) places.push_back(t);
  std::set<std::size_t> chosen;
  const std::size_t count = std::min(places.size(), kPlacesMax);
  for (std::size_t i = 0; i < count; ++i)
    chosen.insert(places[count > 1 ? i * (places.size() - 1) / (count - 1) : 0]);
  for (const Side side : {Side::kAbove, Side::kBelow}) {
    const double sign = side == Side::kAbove ? 1 : -1;
    Trend trend(side);
    for (std::size_t t = 0; t + kBlocksAhead < blocks.size(); ++t) {
      trend.observe(static_cast<std::int64_t>(10 * t), blocks[t]);
      if (!chosen.contains(t)) continue;
      double highest = -INFINITY, ahead = -INFINITY, sum = 0, squares = 0;
      const std::size_t from = t > kBlocksBefore ? t - kBlocksBefore : 0;
      for (std::size_t i = from; i < t; ++i) {
        highest = std::max(highest, sign * blocks[i]);
        sum += blocks[i];
      }
      const double mean = sum / static_cast<double>(t - from);
      for (std::size_t i = from; i < t; ++i) squares += (blocks[i] - mean) * (blocks[i] - mean);
      const double spread = std::sqrt(squares / static_cast<double>(t - from));
      for (std::size_t i = t; i < t + kBlocksAhead; ++i) ahead = std::max(ahead, sign * blocks[i]);
      if (!(spread > 0)) continue;
      for (std::size_t k = 0; k < std::size(kDistances); ++k) {
        const double limit = highest + kDistances[k] * spread;
        const auto passage = trend.passage(sign * limit, kWeekS, side);
        if (passage)
          out.push_back({passage->probability,
                         ahead >= limit,
                         k,
                         series,
                         passage->expected_s && *passage->expected_s < kWeekS});
      }
    }
  }
}

void print(const char* name, const std::vector<Forecast>& all) {
  const auto brier = [](const std::vector<Forecast>& of) {
    double sum = 0, came = 0;
    for (const Forecast& one : of) {
      sum += (one.told - (one.came ? 1 : 0)) * (one.told - (one.came ? 1 : 0));
      came += one.came ? 1 : 0;
    }
    const auto n = static_cast<double>(of.size());
    std::printf(
        "%6zu  told %.3f  came true %.3f  Brier %.3f, of the base rate %.3f\n",
        of.size(),
        [&] {
          double told = 0;
          for (const Forecast& one : of) told += one.told;
          return told / n;
        }(),
        came / n,
        sum / n,
        came / n * (1 - came / n));
  };
  std::printf("%s\n  all          ", name);
  brier(all);
  for (std::size_t k = 0; k < std::size(kDistances); ++k) {
    std::vector<Forecast> some;
    for (const Forecast& one : all) {
      if (one.distance == k) some.push_back(one);
    }
    std::printf("  %4.2f sd off  ", kDistances[k]);
    if (!some.empty()) brier(some);
  }
  constexpr double kEdges[] = {0, .1, .2, .35, .5, .65, .8, .9, 1.01};
  for (std::size_t k = 0; k + 1 < std::size(kEdges); ++k) {
    double told = 0, came = 0;
    std::size_t n = 0;
    for (const Forecast& one : all) {
      if (one.told < kEdges[k] || one.told >= kEdges[k + 1]) continue;
      ++n, told += one.told, came += one.came ? 1 : 0;
    }
    if (n > 0)
      std::printf("  told %.2f to %.2f  %6zu  told %.3f  came true %.3f\n",
                  kEdges[k],
                  std::min(1., kEdges[k + 1]),
                  n,
                  told / static_cast<double>(n),
                  came / static_cast<double>(n));
  }
  std::size_t dated = 0, dated_came = 0;
  for (const Forecast& one : all) {
    if (!one.dated || one.told <= .5) continue;
    ++dated;
    dated_came += one.came ? 1 : 0;
  }
  std::printf("  with a time, and above .5: %zu, came true %zu\n", dated, dated_came);
}

}  // namespace

void print_made_up() {
  constexpr int kSeeds = 20;
  std::printf("%-44s %-6s %-24s %s\n", "", "truth", "told: mean, highest", "time, days");
  for (const MadeUp& one : made_up()) {
    double sum = 0, highest = 0;
    std::vector<double> times;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Random random(seed);
      Trend trend(one.side);
      double state = 0;
      for (std::int64_t t = 0; t < one.minutes; ++t) trend.observe(t, one.value(t, random, state));
      const auto passage = trend.passage(one.limit, kWeekS, one.side);
      if (!passage) continue;
      sum += passage->probability;
      highest = std::max(highest, passage->probability);
      if (passage->expected_s) times.push_back(*passage->expected_s / 86'400);
    }
    std::sort(times.begin(), times.end());
    std::printf("%-44s %-6s %.3f %.3f", one.name, one.truth, sum / kSeeds, highest);
    if (!times.empty())
      std::printf("             %.1f (%zu of %d)", times[times.size() / 2], times.size(), kSeeds);
    std::printf("\n");
  }
}

void print_calibration(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.path().extension() == ".csv" && !name.starts_with("artificial"))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Forecast> halves[2];
  std::size_t series = 0;
  for (const auto& path : paths) {
    const std::vector<double> blocks = blocks_of(path);
    if (blocks.size() <= kBlocksAhead + kFirst) continue;
    std::printf("%s %s\n",
                series % 2 == 0 ? "tuned on" : "other   ",
                path.lexically_relative(folder).string().c_str());
    forecast(blocks, series, halves[series % 2]);
    ++series;
  }
  if (series == 0) return void(std::printf("no series of nine days in %s\n", folder.c_str()));
  std::printf("%zu series\n", series);
  print("those that its constants were found on", halves[0]);
  print("the others", halves[1]);
}

}  // namespace liminal::bench
