#include "core/forecast/spread.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::forecast {
namespace {

/// Errors whose deviation grows with the root of the step, around forecasts of 1.
std::vector<Residual> walk_errors(std::size_t paths, std::uint32_t horizon, std::uint64_t seed) {
  Random random(seed);
  std::vector<Residual> residuals;
  for (std::size_t p = 0; p < paths; ++p) {
    double error = 0;
    for (std::uint32_t h = 0; h < horizon; ++h)
      residuals.push_back({h, p * 7 + h, 1, 1 + (error += random.uniform(-.01, .01)), 1});
  }
  return residuals;
}

TEST(Spread, CoversWhatItWasFittedTo) {
  const auto residuals = walk_errors(200, 12, 1);
  Spread spread;
  spread.fit(residuals, 12, 0, 6, true);
  for (const double level : {.8, .95}) {
    double inside = 0;
    for (const Residual& r : residuals) {
      inside += r.actual >= spread.quantile((1 - level) / 2, r.forecast, r.step, r.place) &&
                r.actual <= spread.quantile((1 + level) / 2, r.forecast, r.step, r.place);
    }
    // 1.1 times as wide as the errors, so more than the level.
    EXPECT_GT(inside / static_cast<double>(residuals.size()), level);
    EXPECT_LT(inside / static_cast<double>(residuals.size()), level + .08);
  }
}

/// Paths of a back-test over `places` points of what was forecast as 1 throughout, at every origin.
Spread after(std::uint64_t places, std::uint32_t horizon, const std::vector<double>& came) {
  std::vector<Residual> residuals;
  for (std::uint64_t origin = 0; origin < places; ++origin) {
    for (std::uint32_t h = 0; h < horizon && origin + h < places; ++h)
      residuals.push_back({h, origin + h, 0, came[origin + h + 1] - came[origin], 1});
  }
  Spread spread;
  spread.fit(residuals, horizon, 0, 6, false);
  return spread;
}

TEST(Spread, IsWiderWhereFewErrorsAreIndependent) {
  constexpr std::uint32_t kHorizon = 12;
  const auto share_outside = [](std::uint64_t places) {
    double outside = 0;
    constexpr int kRuns = 400;
    for (int run = 0; run < kRuns; ++run) {
      Random random(static_cast<std::uint64_t>(run) + 1);
      std::vector<double> walk{0};
      while (walk.size() < places + kHorizon + 1)
        walk.push_back(walk.back() + random.uniform(-1, 1) + random.uniform(-1, 1));
      const Spread spread = after(places, kHorizon, walk);
      for (std::uint32_t h = 0; h < kHorizon; ++h) {
        const double came = walk[places + h + 1] - walk[places];
        outside += came > spread.quantile(.975, 0, h, places + h) ||
                   came < spread.quantile(.025, 0, h, places + h);
      }
    }
    return outside / kRuns / kHorizon;
  };
  // A back-test of two horizons has two paths of a walk that do not overlap, whatever it counts.
  EXPECT_LT(share_outside(24), .08);
  EXPECT_LT(share_outside(240), .06);
}

TEST(Spread, IsAsWideAsItWasWhereErrorsAreIndependent) {
  std::vector<Residual> residuals;
  Random random(9);
  for (std::uint64_t origin = 0; origin < 60; ++origin) {
    for (std::uint32_t h = 0; h < 6; ++h)
      residuals.push_back({h, origin + h, 0, random.uniform(-1, 1), 1});
  }
  Spread spread;
  spread.fit(residuals, 6, 0, 6, false);
  EXPECT_NEAR(spread.quantile(.975, 0, 3, 0), 1.1 * .96, .06);
}

TEST(Spread, GrowsAlongTheHorizonAndWithTheForecast) {
  Spread spread;
  spread.fit(walk_errors(50, 24, 2), 24, 0, 6, true);
  const auto width = [&](double forecast, std::uint32_t step) {
    return spread.quantile(.9, forecast, step, 0) - spread.quantile(.1, forecast, step, 0);
  };
  EXPECT_GT(width(1, 23), 2 * width(1, 0));
  EXPECT_NEAR(width(2, 5) / width(1, 5), std::pow(2, .85), 1e-9);
}

/// Nothing but for bursts of 10, one step in twenty-five, which now and then are forecast.
std::vector<Residual> burst_errors(std::uint64_t seed) {
  Random random(seed);
  std::vector<Residual> residuals;
  for (std::uint64_t p = 0; p < 1000; ++p) {
    const double forecast = random.below(5) == 0 ? random.uniform(1, 3) : random.uniform(0, .02);
    const double actual = random.below(25) == 0 ? random.uniform(8, 12) : 0;
    residuals.push_back({static_cast<std::uint32_t>(p % 12), p, forecast, actual, 1});
  }
  return residuals;
}

TEST(Spread, OfBurstsOutOfNothingHoldsThemWithoutTakingThemForParts) {
  Spread spread;
  spread.fit(burst_errors(6), 12, 0, 6, true);
  for (const double forecast : {.01, 2.}) {
    const double high = spread.quantile(.975, forecast, 6, 0);
    EXPECT_GT(high, 8) << forecast;
    EXPECT_LT(high, 25) << forecast << ": in parts of the forecast it would be hundreds";
  }
}

TEST(Spread, OfErrorsThatGrowWithWhatIsForecastStaysInParts) {
  Random random(7);
  std::vector<Residual> residuals;
  for (std::uint64_t p = 0; p < 1000; ++p) {
    const double forecast = liminal::exp(random.uniform(-3, 1));
    residuals.push_back(
        {static_cast<std::uint32_t>(p % 12), p, forecast, forecast * random.uniform(.8, 1.2), 1});
  }
  Spread spread;
  spread.fit(residuals, 12, 0, 6, true);
  const auto width = [&](double at) {
    return spread.quantile(.9, at, 6, 0) - spread.quantile(.1, at, 6, 0);
  };
  EXPECT_NEAR(width(.2) / width(.1), std::pow(2, .85), 1e-9);
}

TEST(Spread, KnowsTheErrorsOfEveryStepOfManyPaths) {
  for (const std::uint32_t horizon : {12U, 24U}) {
    for (std::uint32_t wrong = 0; wrong < horizon; ++wrong) {
      // As many as 20,000 points give, and as many as sixteen days of five minutes.
      for (const std::uint64_t paths : {1254U, 288U}) {
        std::vector<Residual> residuals;
        for (std::uint64_t p = 0; p < paths; ++p) {
          for (std::uint32_t h = 0; h < horizon; ++h)
            residuals.push_back({h, p * 3 + h, 1, h == wrong ? 2. : 1., 1});
        }
        Spread spread;
        spread.fit(std::move(residuals), horizon, 0, 6, true);
        EXPECT_GT(spread.quantile(.99, 1, wrong, 0), 1.1) << wrong << " of " << horizon;
      }
    }
  }
}

TEST(Spread, RefusesAScaleWithoutSize) {
  Spread spread;
  spread.fit(walk_errors(20, 6, 5), 6, 0, 6, true);
  for (const double floor : {0., -1., std::nan(""), HUGE_VAL}) {
    Writer out;
    spread.save(out);
    Writer other;
    other.put(floor);
    std::string bytes = out.bytes();
    bytes.replace(sizeof(double), sizeof(double), other.bytes());
    Spread read;
    Reader in(bytes);
    read.load(in);
    EXPECT_FALSE(in.ok()) << floor;
  }
}

TEST(Spread, ReadsWhatHadOneScaleOnly) {
  Spread spread;
  spread.fit(walk_errors(20, 6, 5), 6, 0, 6, true);
  Writer out;
  spread.save(out);
  // Its floor lies behind its exponent, and was not there.
  std::string before = out.bytes();
  before.erase(sizeof(double), sizeof(double));
  Spread old;
  Reader in(before);
  old.load(in, false);
  EXPECT_TRUE(in.ok() && in.remaining() == 0);
  EXPECT_EQ(old.quantile(.9, 1.3, 4, 0), spread.quantile(.9, 1.3, 4, 0));
}

TEST(Spread, IsWiderAfterAShortBacktest) {
  Spread shorter, longer;
  shorter.fit(walk_errors(50, 6, 3), 6, 0, 1, true);
  longer.fit(walk_errors(50, 6, 3), 6, 0, 6, true);
  EXPECT_GT(shorter.quantile(.95, 1, 3, 0), longer.quantile(.95, 1, 3, 0));
}

TEST(Spread, KeepsGrowingBeyondWhatWasTested) {
  std::vector<Residual> residuals = walk_errors(50, 6, 4);
  Spread spread;
  spread.fit(residuals, 24, 0, 6, true);
  EXPECT_GT(spread.quantile(.9, 1, 23, 0), spread.quantile(.9, 1, 5, 0));
}

TEST(Spread, IsOfNoWidthWithoutErrors) {
  Spread spread;
  spread.fit({{0, 0, 1, 1, 1}, {1, 1, 1, 1, 1}}, 2, 0, 6, true);
  EXPECT_NEAR(spread.quantile(.99, 1, 1, 0), 1, 1e-6);
  Spread nothing;
  nothing.fit({}, 2, 24, 0, true);
  EXPECT_NEAR(nothing.quantile(.99, 1, 1, 0), 1, 1e-6);
}

RC_GTEST_PROP(Spread, GivesQuantilesThatRise, (std::uint64_t seed)) {
  Random random(seed);
  std::vector<Residual> residuals;
  const auto count = *rc::gen::inRange<std::uint64_t>(1, 200);
  for (std::uint64_t i = 0; i < count; ++i) {
    const double forecast = random.uniform(0, 2);
    residuals.push_back({static_cast<std::uint32_t>(random.below(8)),
                         random.below(100),
                         forecast,
                         std::max(0., forecast + random.uniform(-1, 3)),
                         random.uniform(.1, 1)});
  }
  Spread spread;
  spread.fit(residuals, 8, *rc::gen::element(0U, 5U), 6, *rc::gen::arbitrary<bool>());
  double last = -INFINITY;
  for (int i = 1; i < 100; ++i) {
    const double value = spread.quantile(i * .01, 1.3, 4, 17);
    RC_ASSERT(std::isfinite(value) && value >= last - 1e-12);
    last = value;
  }
}

}  // namespace
}  // namespace liminal::forecast
