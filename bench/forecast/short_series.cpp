#include "short_series.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/base/random.hpp"
#include "core/forecast/forecaster.hpp"

namespace bench {
namespace {

using liminal::Random;
namespace forecast = liminal::forecast;

constexpr std::uint32_t kHorizon = 12;
constexpr std::uint32_t kNear = 4;  // steps that are told apart from those after them
constexpr int kSeries = 300;
constexpr std::array kLengths = {30U, 40U, 60U, 80U, 120U, 200U};
constexpr std::array<double, 2> kLevels = {.025, .975};
constexpr double kTurn = 6.283185307179586;

/// The next value of a series at time t; `state` is what it keeps.
using Next = double (*)(double& state, std::size_t t, Random& random);
struct Kind {
  std::string_view name;
  Next next;
};

double wander(double& state, double kept, double step) {
  return 100 + (state = kept * state + step);
}

constexpr std::array kKinds = {
    Kind{"walk", [](double& s, std::size_t, Random& r) { return wander(s, 1, r.normal()); }},
    Kind{"ar .99", [](double& s, std::size_t, Random& r) { return wander(s, .99, r.normal()); }},
    Kind{"ar .95", [](double& s, std::size_t, Random& r) { return wander(s, .95, r.normal()); }},
    Kind{"ar .8", [](double& s, std::size_t, Random& r) { return wander(s, .8, r.normal()); }},
    Kind{"walk, rare jumps",
         [](double& s, std::size_t, Random& r) {
           const double step = r.normal();
           return wander(s, 1, r.chance(.05) ? 5 * step : step);
         }},
    Kind{"walk of the logarithm",
         [](double& s, std::size_t, Random& r) {
           return 100 * std::exp(wander(s, 1, .05 * r.normal()) - 100);
         }},
    Kind{"noise", [](double&, std::size_t, Random& r) { return 100 + 5 * r.normal(); }},
    Kind{"trend",
         [](double&, std::size_t t, Random& r) {
           return 100 + static_cast<double>(t) + 5 * r.normal();
         }},
    Kind{"day of 24",
         [](double&, std::size_t t, Random& r) {
           return 100 + 30 * std::sin(kTurn * static_cast<double>(t) / 24) + 5 * r.normal();
         }},
};

/// Of one series: how many of the near and the later values are inside, and the interval score.
struct Outcome {
  double near = 0, later = 0, score = 0;
};

Outcome try_one(const Kind& kind, std::size_t length, Random& random) {
  forecast::Options options;
  options.horizon = kHorizon;
  forecast::Forecaster forecaster(options);
  double state = 0;
  std::size_t t = 0;
  for (; t < length; ++t) forecaster.learn(kind.next(state, t, random));
  if (!forecaster.refit()) return {};
  const auto said = forecaster.forecast(kHorizon, kLevels).value();
  Outcome found;
  for (std::uint32_t h = 0; h < kHorizon; ++h, ++t) {
    const double came = kind.next(state, t, random);
    const double low = said.quantiles[0][h], high = said.quantiles[1][h];
    (h < kNear ? found.near : found.later) += came >= low && came <= high ? 1 : 0;
    found.score += high - low + 40 * (std::max(0., low - came) + std::max(0., came - high));
  }
  return found;
}

}  // namespace

int run_short_series(std::uint64_t seed) {
  fmt::print("{:<22} {:>6} {:>9} {:>10} {:>8}\n", "", "points", "steps 1-4", "steps 5-12", "score");
  for (const Kind& kind : kKinds) {
    for (const std::size_t length : kLengths) {
      Random random(seed * 1'000'003 + length);
      Outcome sum;
      for (int i = 0; i < kSeries; ++i) {
        const Outcome one = try_one(kind, length, random);
        sum.near += one.near / kNear;
        sum.later += one.later / (kHorizon - kNear);
        sum.score += one.score / kHorizon;
      }
      fmt::print("{:<22} {:>6} {:>9.3f} {:>10.3f} {:>8.1f}\n",
                 kind.name,
                 length,
                 sum.near / kSeries,
                 sum.later / kSeries,
                 sum.score / kSeries);
    }
  }
  return 0;
}

}  // namespace bench
