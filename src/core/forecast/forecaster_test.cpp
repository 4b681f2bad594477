#include "core/forecast/forecaster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "core/base/random.hpp"

namespace liminal::forecast {
namespace {

constexpr double kTurn = 6.283185307179586;
constexpr double kLevels[] = {.025, .1, .5, .9, .975};

/// Hours of a load with a day and a quiet weekend.
std::vector<double> load(std::size_t hours, std::uint64_t seed, double noise = .05) {
  Random random(seed);
  std::vector<double> values;
  for (std::size_t t = 0; t < hours; ++t) {
    const double day = 1 + .5 * std::sin(kTurn * static_cast<double>(t % 24) / 24);
    const double week = t / 24 % 7 >= 5 ? .6 : 1;
    values.push_back(1000 * day * week * (1 + random.uniform(-noise, noise)));
  }
  return values;
}

Forecaster learnt(const std::vector<double>& values, const Options& options = {}) {
  Forecaster forecaster(options);
  for (const double value : values) forecaster.learn(value);
  return forecaster;
}

Options hourly(std::uint32_t horizon, std::uint32_t points_max = 20'000) {
  Options options;
  options.horizon = horizon;
  options.seasons = Seasons{24, 168};
  options.points_max = points_max;
  return options;
}

Forecast said(const std::vector<double>& values, Options options = {}) {
  Forecaster forecaster = learnt(values, options);
  EXPECT_TRUE(forecaster.refit());
  return *forecaster.forecast(options.horizon, kLevels);
}

double mean_error(const Forecast& forecast, std::span<const double> actual) {
  double sum = 0;
  for (std::size_t h = 0; h < forecast.mean.size(); ++h)
    sum += std::abs(forecast.mean[h] - actual[h]) / std::abs(actual[h]);
  return sum / static_cast<double>(forecast.mean.size());
}

TEST(Forecaster, ContinuesADayAndAWeekThatItFoundItself) {
  const std::vector<double> all = load(24 * 7 * 5, 1);
  const std::span past(all.data(), all.size() - 48);
  const Forecast forecast = said({past.begin(), past.end()});
  EXPECT_LT(mean_error(forecast, std::span(all).last(48)), .04);
  int inside = 0;
  for (std::size_t h = 0; h < 48; ++h) {
    const double actual = all[all.size() - 48 + h];
    inside += actual >= forecast.quantiles[0][h] && actual <= forecast.quantiles[4][h];
  }
  EXPECT_GE(inside, 40);
}

TEST(Forecaster, SaysWhoSpeaksAndHowEachDid) {
  Forecaster forecaster = learnt(load(700, 2));
  EXPECT_FALSE(forecaster.model());
  EXPECT_TRUE(forecaster.refit_due());
  ASSERT_TRUE(forecaster.refit());
  EXPECT_FALSE(forecaster.refit_due());
  const Model& model = *forecaster.model();
  EXPECT_EQ(model.plan.seasons, (Seasons{24, 168}));
  EXPECT_EQ(model.standing.cuts, 6U);
  EXPECT_EQ(model.standing.origins, 24U);
  for (std::size_t half = 0; half < 2; ++half) {
    double total = 0;
    for (const double weight : model.standing.weights[half]) total += weight;
    EXPECT_NEAR(total, 1, 1e-12);
    const auto naive = static_cast<std::size_t>(Member::kNaive);
    EXPECT_GT(model.standing.errors[half][naive], 0);
  }
}

TEST(Forecaster, OfALongHistoryTestsItselfAtAllHoursAndIsRefittedAsOften) {
  Options options;
  options.horizon = 12;
  Forecaster forecaster = learnt(load(288 * 16, 2), options);
  ASSERT_TRUE(forecaster.refit());
  const Plan& plan = forecaster.model()->plan;
  EXPECT_GE(plan.block * plan.cuts, 2U * 288);
  for (std::uint32_t i = 0; i < 24; ++i) {
    EXPECT_FALSE(forecaster.refit_due()) << i;
    forecaster.learn(1);
  }
  EXPECT_TRUE(forecaster.refit_due());
}

TEST(Forecaster, OfTheLongestHistoryTestsItselfFromFewMoreOrigins) {
  Options options;
  options.horizon = 12;
  const std::vector<double> all = load(20'000, 2);
  Forecaster few = learnt({all.begin(), all.begin() + 1000}, options);
  Forecaster many = learnt(all, options);
  ASSERT_TRUE(few.refit() && many.refit());
  EXPECT_GE(many.model()->standing.origins, few.model()->standing.origins);
  EXPECT_LE(many.model()->standing.origins, 48 + 6 * 49U);
}

TEST(Forecaster, OfBurstsIsNoWiderThanTheyAre) {
  Random random(15);
  std::vector<double> values;
  for (int t = 0; t < 2000; ++t)
    values.push_back(random.below(30) == 0 ? random.uniform(5, 10) : random.uniform(0, .01));
  Options options;
  options.horizon = 12;
  values[1999] = 9;  // what is forecast is high, too
  const Forecast forecast = said(values, options);
  for (std::size_t h = 0; h < 12; ++h) EXPECT_LT(forecast.quantiles[4][h], 20) << h;
}

TEST(Forecaster, GoesOnFromPointsLearntSinceTheRefit) {
  const std::vector<double> all = load(24 * 7 * 5, 3);
  Forecaster forecaster = learnt({all.begin(), all.end() - 60});
  ASSERT_TRUE(forecaster.refit());
  for (std::size_t i = all.size() - 60; i < all.size() - 48; ++i) forecaster.learn(all[i]);
  EXPECT_LT(mean_error(*forecaster.forecast(48), std::span(all).last(48)), .04);
}

TEST(Forecaster, KnowsWhatItCannotSay) {
  Forecaster forecaster;
  EXPECT_EQ(forecaster.forecast(1).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(forecaster.refit().error().code, ErrorCode::kMissing);
  for (int i = 0; i < 7; ++i) forecaster.learn(i), forecaster.learn(NAN);
  EXPECT_EQ(forecaster.refit().error(), (Error{ErrorCode::kMissing, 7}));
  forecaster.learn(7);
  ASSERT_TRUE(forecaster.refit());
  EXPECT_EQ(forecaster.forecast(0).error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(forecaster.forecast(49).error().code, ErrorCode::kOutOfRange);
  const double levels[] = {.5, 1};
  EXPECT_EQ(forecaster.forecast(1, levels).error(), (Error{ErrorCode::kOutOfRange, 1}));
}

TEST(Forecaster, ContinuesAConstantWithoutSpread) {
  for (const double constant : {5., 0., -3.}) {
    const Forecast forecast = said(std::vector<double>(200, constant));
    for (std::size_t h = 0; h < 48; ++h) {
      EXPECT_NEAR(forecast.mean[h], constant, 1e-6);
      EXPECT_NEAR(forecast.quantiles[4][h], constant, 1e-5);
    }
  }
}

TEST(Forecaster, KeepsNonNegativeSeriesNonNegative) {
  Random random(4);
  std::vector<double> values;
  for (int t = 0; t < 600; ++t) values.push_back(random.uniform() < .7 ? 0 : random.uniform(0, 10));
  const Forecast forecast = said(values);
  for (std::size_t h = 0; h < 48; ++h) {
    EXPECT_GE(forecast.mean[h], 0);
    EXPECT_GE(forecast.quantiles[0][h], 0);
  }
}

TEST(Forecaster, ForecastsNegativeValuesToo) {
  std::vector<double> values = load(24 * 7 * 5, 5);
  for (double& value : values) value -= 2000;
  const Forecast forecast = said({values.begin(), values.end() - 48});
  EXPECT_LT(mean_error(forecast, std::span(values).last(48)), .05);
}

TEST(Forecaster, MissesLittleWhereValuesAreMissing) {
  std::vector<double> all = load(24 * 7 * 5, 6);
  std::vector<double> past(all.begin(), all.end() - 48);
  Random random(7);
  for (double& value : past) {
    if (random.uniform() < .2) value = NAN;
  }
  for (std::size_t i = 300; i < 330; ++i) past[i] = INFINITY;
  past.back() = NAN;
  EXPECT_LT(mean_error(said(past), std::span(all).last(48)), .05);
}

TEST(Forecaster, FollowsALevelThatMovedADayAgo) {
  for (const double factor : {.4, 2.5}) {
    std::vector<double> all = load(24 * 7 * 5, 8);
    for (std::size_t i = all.size() - 48 - 30; i < all.size(); ++i) all[i] *= factor;
    Forecaster forecaster = learnt({all.begin(), all.end() - 48}, hourly(48));
    ASSERT_TRUE(forecaster.refit());
    EXPECT_NEAR(
        static_cast<double>(forecaster.model()->shift_at), static_cast<double>(all.size() - 78), 2);
    EXPECT_NEAR(forecaster.model()->shift_factor, factor, .05 * factor);
    EXPECT_LT(mean_error(*forecaster.forecast(48), std::span(all).last(48)), .06);
  }
}

TEST(Forecaster, FollowsALevelThatMovedSomeDaysAgo) {
  for (const std::size_t age : {24U, 30U, 48U, 72U, 120U, 168U, 240U, 320U}) {
    for (const double factor : {.5, 2.}) {
      std::vector<double> all = load(24 * 7 * 5, 8);
      for (std::size_t i = all.size() - 48 - age; i < all.size(); ++i) all[i] *= factor;
      Forecaster forecaster = learnt({all.begin(), all.end() - 48}, hourly(48));
      ASSERT_TRUE(forecaster.refit());
      EXPECT_NEAR(static_cast<double>(forecaster.model()->shift_at),
                  static_cast<double>(all.size() - 48 - age),
                  2)
          << age << " " << factor;
      EXPECT_LT(mean_error(*forecaster.forecast(48), std::span(all).last(48)), .06)
          << age << " " << factor;
    }
  }
}

TEST(Forecaster, FollowsALevelThatMovedWhereNoWeekIs) {
  for (const std::size_t age : {24U, 28U, 48U, 72U, 95U}) {
    Random random(age);
    std::vector<double> all;
    for (std::size_t t = 0; t < 24 * 20; ++t)
      all.push_back((100 + 50 * std::sin(static_cast<double>(t) * kTurn / 24)) *
                    (1 + .02 * random.normal()));
    for (std::size_t i = all.size() - 48 - age; i < all.size(); ++i) all[i] *= 2;
    Options options = hourly(48);
    options.seasons = Seasons{24, 0};
    Forecaster forecaster = learnt({all.begin(), all.end() - 48}, options);
    ASSERT_TRUE(forecaster.refit());
    EXPECT_NEAR(static_cast<double>(forecaster.model()->shift_at),
                static_cast<double>(all.size() - 48 - age),
                2)
        << age;
    EXPECT_LT(mean_error(*forecaster.forecast(48), std::span(all).last(48)), .04) << age;
  }
}

/// How many of the values lie in the 80 % interval.
double inside(const Forecast& forecast, std::span<const double> actual) {
  std::size_t count = 0;
  for (std::size_t h = 0; h < actual.size(); ++h)
    count += actual[h] >= forecast.quantiles[1][h] && actual[h] <= forecast.quantiles[3][h];
  return static_cast<double>(count) / static_cast<double>(actual.size());
}

TEST(Forecaster, IsWideEnoughForBothLevelsInTheFirstDayAfterAShift) {
  for (const std::size_t age : {3U, 6U, 12U, 18U, 21U}) {
    for (const double factor : {.5, 2.}) {
      std::vector<double> all = load(24 * 7 * 5, 8);
      const std::vector<double> old_level(all.end() - 48, all.end());
      for (std::size_t i = all.size() - 48 - age; i < all.size(); ++i) all[i] *= factor;
      Forecaster forecaster = learnt({all.begin(), all.end() - 48}, hourly(48));
      ASSERT_TRUE(forecaster.refit());
      const Model& model = *forecaster.model();
      EXPECT_EQ(model.shift_at, all.size() - 48 - age) << age << " " << factor;
      EXPECT_FALSE(model.shift_certain());
      const auto forecast = *forecaster.forecast(48, kLevels);
      EXPECT_GT(inside(forecast, std::span(all).last(48)), .75) << age << " " << factor;
      EXPECT_GT(inside(forecast, old_level), .75) << age << " " << factor;
      const double moved = mean_error(forecast, std::span(all).last(48));
      EXPECT_LT(age < 12 ? mean_error(forecast, old_level) : moved, .08) << age << " " << factor;
      for (std::size_t h = 0; h < 48; ++h) {
        for (std::size_t level = 1; level < std::size(kLevels); ++level)
          EXPECT_LE(forecast.quantiles[level - 1][h], forecast.quantiles[level][h]);
      }
      Writer out;
      forecaster.save(out);
      Forecaster again(hourly(48));
      Reader in(out.bytes());
      ASSERT_TRUE(again.load(in));
      EXPECT_EQ(again.forecast(48, kLevels)->quantiles, forecast.quantiles);
    }
  }
}

TEST(Forecaster, WaitsForPointsBeforeItDoubtsTheLevel) {
  std::vector<double> all = load(24 * 7 * 5, 8);
  for (std::size_t i = all.size() - 2; i < all.size(); ++i) all[i] *= 2;
  Forecaster forecaster = learnt(all, hourly(48));
  ASSERT_TRUE(forecaster.refit());
  EXPECT_EQ(forecaster.model()->shift_at, 0U);
}

TEST(Forecaster, TakesAWeekendForNoNewLevelWhereNoWeekIsKnown) {
  Random random(3);
  std::vector<double> all;
  for (std::size_t t = 0; t < 24 * 14; ++t)
    all.push_back((100 + 50 * std::sin(static_cast<double>(t) * kTurn / 24)) *
                  (t / 24 % 7 >= 5 ? .5 : 1) * (1 + .02 * random.normal()));
  Options options = hourly(24);
  options.seasons = Seasons{24, 0};
  for (const std::ptrdiff_t hours_since : {0, 24, 36, 44}) {
    Forecaster forecaster = learnt({all.begin(), all.end() - hours_since}, options);
    ASSERT_TRUE(forecaster.refit());
    EXPECT_EQ(forecaster.model()->shift_at, 0U) << hours_since;
  }
}

TEST(Forecaster, TakesAnOutageForNoNewLevel) {
  std::vector<double> all = load(24 * 7 * 5, 9);
  for (std::size_t i = all.size() - 40; i < all.size() - 34; ++i) all[i] *= .1;
  Forecaster forecaster = learnt(all, hourly(48));
  ASSERT_TRUE(forecaster.refit());
  EXPECT_EQ(forecaster.model()->shift_at, 0U);
}

TEST(Forecaster, DropsWhatAShortHistoryCannotFeed) {
  const auto seasons = [](std::size_t hours) {
    Forecaster forecaster = learnt(load(hours, 10), hourly(24));
    EXPECT_TRUE(forecaster.refit());
    const auto forecast = forecaster.forecast(24, kLevels);
    EXPECT_TRUE(forecast);
    for (const double value : forecast->mean) EXPECT_TRUE(std::isfinite(value));
    return forecaster.model()->plan.seasons;
  };
  EXPECT_EQ(seasons(500), (Seasons{24, 168}));
  EXPECT_EQ(seasons(300), (Seasons{24, 0}));
  EXPECT_EQ(seasons(40), Seasons{});
  EXPECT_EQ(seasons(8), Seasons{});
}

TEST(Forecaster, OfAShortHistorySaysHowFarOffItMayBe) {
  for (const Seasons seasons : {Seasons{}, {2, 0}, {4, 0}, {7, 0}, {12, 0}, {2, 5}, {3, 21}}) {
    for (std::size_t points = 8; points < 80; ++points) {
      Options options;
      options.horizon = 4;
      options.seasons = seasons;
      const Forecaster forecaster = [&] {
        Forecaster made = learnt(load(points, 14, .1), options);
        EXPECT_TRUE(made.refit());
        return made;
      }();
      EXPECT_GT(forecaster.model()->standing.origins, 0U) << seasons.day << ' ' << points;
      const auto forecast = forecaster.forecast(4, kLevels);
      ASSERT_TRUE(forecast);
      EXPECT_GT(forecast->quantiles.back()[0], forecast->quantiles.front()[0])
          << seasons.day << ' ' << points;
    }
  }
}

TEST(Forecaster, ForgetsTheOldestBeyondItsBound) {
  Forecaster forecaster = learnt(load(5000, 11), hourly(24, 500));
  EXPECT_EQ(forecaster.points(), 5000U);
  EXPECT_LT(forecaster.values().size(), 751U);
  ASSERT_TRUE(forecaster.refit());
  EXPECT_TRUE(forecaster.forecast(24));
  EXPECT_LT(forecaster.memory_bytes(), 200'000U);
}

TEST(Forecaster, ScalesWithItsSeriesExactlyForPowersOfTwo) {
  const std::vector<double> values = load(700, 12);
  std::vector<double> larger = values;
  for (double& value : larger) value *= 1024;
  const Forecast one = said(values), other = said(larger);
  for (std::size_t h = 0; h < 48; ++h) {
    EXPECT_EQ(other.mean[h], 1024 * one.mean[h]);
    EXPECT_EQ(other.quantiles[4][h], 1024 * one.quantiles[4][h]);
  }
}

TEST(Forecaster, SaysTheSameBitsAfterSaveAndLoad) {
  const std::vector<double> all = load(800, 13);
  Forecaster forecaster = learnt({all.begin(), all.end() - 20});
  ASSERT_TRUE(forecaster.refit());
  Writer out;
  forecaster.save(out);
  Forecaster loaded;
  Reader in(out.bytes());
  ASSERT_TRUE(loaded.load(in));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(loaded.state_hash(), forecaster.state_hash());
  for (Forecaster* each : {&forecaster, &loaded}) {
    for (std::size_t i = all.size() - 20; i < all.size(); ++i) each->learn(all[i]);
  }
  EXPECT_EQ(loaded.forecast(48, kLevels)->quantiles, forecaster.forecast(48, kLevels)->quantiles);
  ASSERT_TRUE(forecaster.refit());
  ASSERT_TRUE(loaded.refit());
  EXPECT_EQ(loaded.state_hash(), forecaster.state_hash());
}

TEST(Forecaster, ReadsWhatItsFirstVersionSaved) {
  std::ifstream file(LIMINAL_SOURCE_DIR "/src/core/forecast/forecaster_corpus/season",
                     std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  ASSERT_EQ(bytes.front(), 1);
  Options options;
  options.horizon = 8;
  Forecaster old(options), again(options);
  Reader in(bytes);
  ASSERT_TRUE(old.load(in));
  const auto forecast = old.forecast(8, kLevels);
  ASSERT_TRUE(forecast);
  Writer out;
  old.save(out);
  EXPECT_EQ(out.bytes().front(), 2);
  Reader written(out.bytes());
  ASSERT_TRUE(again.load(written));
  EXPECT_EQ(again.forecast(8, kLevels)->quantiles, forecast->quantiles);
}

TEST(Forecaster, RefusesBytesThatMakeNoSenseAndStaysAsItWas) {
  Forecaster forecaster = learnt(load(100, 14));
  ASSERT_TRUE(forecaster.refit());
  Writer out;
  forecaster.save(out);
  const std::uint64_t hash = forecaster.state_hash();
  for (std::size_t size = 0; size < out.bytes().size(); size += 97) {
    Reader in(std::string_view(out.bytes()).substr(0, size));
    EXPECT_FALSE(forecaster.load(in));
  }
  EXPECT_EQ(forecaster.state_hash(), hash);
}

TEST(Options, NameWhatIsWrong) {
  EXPECT_TRUE(Options{}.validate().empty());
  Options wrong;
  wrong.horizon = 0;
  wrong.seasons = Seasons{1, 1};
  wrong.points_max = 1;
  EXPECT_EQ(wrong.validate().size(), 4U);
}

RC_GTEST_PROP(Forecaster, GivesFiniteRisingQuantilesWhateverItLearns, ()) {
  const auto values = *rc::gen::container<std::vector<double>>(
      rc::gen::element<double>(NAN, INFINITY, 0, 1, 2, 3, 5, -4, 1e-308, 1e299, -1e299, 1e15, .1));
  Options options;
  options.horizon = *rc::gen::inRange(1U, 60U);
  if (*rc::gen::arbitrary<bool>())
    options.seasons = Seasons{*rc::gen::inRange(2U, 6U), *rc::gen::inRange(6U, 20U)};
  Forecaster forecaster = learnt(values, options);
  if (!forecaster.refit()) return;
  const auto forecast = forecaster.forecast(options.horizon, kLevels);
  RC_ASSERT(forecast.has_value());
  for (std::size_t h = 0; h < options.horizon; ++h) {
    RC_ASSERT(std::isfinite(forecast->mean[h]));
    for (std::size_t i = 0; i < std::size(kLevels); ++i) {
      RC_ASSERT(!std::isnan(forecast->quantiles[i][h]));
      if (i > 0) RC_ASSERT(forecast->quantiles[i - 1][h] <= forecast->quantiles[i][h]);
    }
  }
}

}  // namespace
}  // namespace liminal::forecast
