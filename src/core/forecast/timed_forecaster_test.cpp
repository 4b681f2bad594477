#include "core/forecast/timed_forecaster.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace liminal::forecast {
namespace {

using namespace std::chrono_literals;
using Step = TimedForecaster::Step;

constexpr EventTime kBegin{Step{5'000'000}};

EventTime at(Duration since) { return kBegin + since; }

double of_day(std::int64_t step) {
  const std::int64_t t = step % 24;
  return 100 + static_cast<double>(t * (24 - t)) + static_cast<double>(step * step % 7);
}

/// A value for each step, from its begin on.
void tell(TimedForecaster& series, std::int64_t from, std::int64_t to) {
  for (std::int64_t step = from; step < to; ++step)
    series.observe(of_day(step), at(Step{step + 1}));
}

TimedForecaster told(std::int64_t steps) {
  TimedForecaster series;
  series.observe(0, at(0s));
  tell(series, 0, steps);
  return series;
}

void refit(TimedForecaster& series) {
  Forecaster copy = series.forecaster();
  ASSERT_TRUE(copy.refit());
  series.take(std::move(copy));
}

std::string saved(const TimedForecaster& series) {
  Writer out;
  series.save(out);
  return out.take();
}

// Against each second by itself.
RC_GTEST_PROP(TimedForecasterProperty, StepsAreMeansOverTheTimeThatIsKnown, ()) {
  const auto waits = *rc::gen::container<std::vector<int>>(rc::gen::inRange<int>(1, 1300));
  TimedForecaster series;
  std::vector<double> by_second;  // NaN where nothing is known
  std::int64_t now = 0;
  series.observe(7, kBegin);
  for (std::size_t i = 0; i < waits.size(); ++i) {
    const auto value = static_cast<double>(i % 11);
    now += waits[i];
    by_second.resize(static_cast<std::size_t>(now), waits[i] <= 900 ? value : NAN);
    series.observe(value, at(std::chrono::seconds{now}));
  }
  std::vector<double> means;
  for (std::size_t end = 300; end <= by_second.size(); end += 300) {
    double sum = 0, known = 0;
    for (std::size_t second = end - 300; second < end; ++second) {
      if (!std::isnan(by_second[second])) sum += by_second[second], known += 1;
    }
    if (known >= 150 || !means.empty()) means.push_back(known >= 150 ? sum / known : NAN);
  }
  const auto values = series.forecaster().values();
  RC_ASSERT(values.size() == means.size());
  for (std::size_t i = 0; i < means.size(); ++i) {
    RC_ASSERT(std::isnan(values[i]) == std::isnan(means[i]));
    if (!std::isnan(means[i])) RC_ASSERT(std::abs(values[i] - means[i]) < 1e-9);
  }
}

RC_GTEST_PROP(TimedForecasterProperty, WhatWasToldCanBeLoaded, ()) {
  TimedForecaster series;
  const auto told = *rc::gen::container<std::vector<std::pair<std::int64_t, double>>>(
      rc::gen::pair(rc::gen::arbitrary<std::int64_t>(),
                    rc::gen::element(1., -1e300, 1e300, 1e301, 1.7e308, double{INFINITY}, NAN)));
  for (const auto& [time, value] : told) {
    series.observe(value, EventTime{Duration{time}});
    series.observe(value, at(std::chrono::seconds{time % 100'000}));
  }
  const std::string bytes = saved(series);
  Reader in(bytes);
  TimedForecaster again;
  RC_ASSERT(again.load(in).has_value());
  RC_ASSERT(saved(again) == bytes);
}

TEST(TimedForecaster, SaysWhenAStepEnded) {
  TimedForecaster series;
  EXPECT_FALSE(series.observe(1, at(10s)));
  EXPECT_FALSE(series.observe(1, at(299s)));
  EXPECT_TRUE(series.observe(1, at(300s)));
  EXPECT_EQ(series.begins(), at(300s));
  EXPECT_EQ(series.forecaster().points(), 1U);
  EXPECT_FALSE(series.observe(2, at(300s))) << "no later";
  EXPECT_FALSE(series.observe(2, at(200s)));
  EXPECT_TRUE(series.observe(5, at(1100s))) << "of all the time since";
  ASSERT_EQ(series.forecaster().points(), 3U);
  EXPECT_EQ(series.forecaster().values()[1], 5);
  EXPECT_EQ(series.forecaster().values()[2], 5);
}

TEST(TimedForecaster, WhatIsNotToldOfIsMissing) {
  TimedForecaster series = told(4);
  series.observe(9, at(4 * Step{1} + 16min));
  ASSERT_EQ(series.forecaster().points(), 7U);
  EXPECT_TRUE(std::isnan(series.forecaster().values()[4])) << "nobody knows what was in a gap";
  series.observe(NAN, at(9 * Step{1}));
  series.observe(INFINITY, at(10 * Step{1}));
  EXPECT_TRUE(std::isnan(series.forecaster().values()[9]));
  series.observe(3, at(11 * Step{1}));
  EXPECT_EQ(series.forecaster().values()[10], 3);
}

TEST(TimedForecaster, SaysHowMuchIsLackingUntilItCanForecast) {
  TimedForecaster series;
  EXPECT_EQ(series.lacks(), 40min);
  series.observe(1, at(0s));
  series.observe(1, at(150s));
  EXPECT_EQ(series.lacks(), 40min - 150s);
  series = told(7);
  EXPECT_EQ(series.lacks(), 5min);
  EXPECT_FALSE(series.forecaster().refit_due());
  tell(series, 7, 8);
  EXPECT_EQ(series.lacks(), 0s);
  EXPECT_TRUE(series.forecaster().refit_due());
}

TEST(TimedForecaster, ForecastsFourHoursFromTheOpenStepOn) {
  TimedForecaster series = told(240);
  refit(series);
  tell(series, 240, 250);
  const auto outlook = outlook_of(series.forecaster(), series.begins());
  ASSERT_TRUE(outlook);
  EXPECT_EQ(outlook->begins, at(Step{250}));
  EXPECT_EQ(outlook->refitted_at, at(Step{240}));
  EXPECT_EQ(outlook->points, 250U);
  EXPECT_EQ(outlook->missing, 0U);
  EXPECT_EQ(outlook->plan.seasons.day, 24U);
  ASSERT_EQ(outlook->ahead.mean.size(), 48U);
  ASSERT_EQ(outlook->ahead.quantiles.size(), TimedForecaster::kLevels.size());
  for (std::int64_t step = 0; step < 48; ++step)
    EXPECT_NEAR(outlook->ahead.mean[static_cast<std::size_t>(step)], of_day(250 + step), 8);
}

TEST(TimedForecaster, GoesOnWithARefitAndWhatCameMeanwhile) {
  TimedForecaster series = told(100), meanwhile = series;
  Forecaster copy = series.forecaster();
  ASSERT_TRUE(copy.refit());
  tell(meanwhile, 100, 103);
  meanwhile.take(copy);
  series.take(copy);
  tell(series, 100, 103);
  EXPECT_EQ(meanwhile.forecaster().state_hash(), series.forecaster().state_hash());
  TimedForecaster anew = told(3);
  anew.take(std::move(copy));
  EXPECT_EQ(anew.forecaster().points(), 3U) << "it was of another life";
}

TEST(TimedForecaster, BeginsAnewWhenTheClockWasSetBackOrAllIsForgotten) {
  TimedForecaster series = told(50);
  EXPECT_FALSE(series.observe(1, at(Step{49})));
  EXPECT_EQ(series.forecaster().points(), 50U) << "that is late";
  series.observe(1, at(Step{20}));
  series.observe(1, at(Step{22}));
  EXPECT_EQ(series.begins(), at(Step{22}));
  EXPECT_EQ(series.forecaster().points(), 2U);
  series = told(50);
  series.observe(1, at(Step{50 + TimedForecaster::kPointsMax}));
  EXPECT_EQ(series.forecaster().points(), 50U + TimedForecaster::kPointsMax);
  series.observe(1, at(365 * 24h));
  EXPECT_EQ(series.forecaster().points(), 0U);
  series.observe(1, at(365 * 24h + 5min));
  EXPECT_EQ(series.forecaster().points(), 1U);
}

TEST(TimedForecaster, KeepsWhatItsMemoryHoldsAndNoMore) {
  // What is kept grows to half as much again before it is cut, and a copy has no room to spare.
  constexpr std::int64_t kMost = TimedForecaster::kPointsMax * 3 / 2;
  TimedForecaster series = told(kMost - 10);
  const std::size_t without = series.forecaster().memory_bytes();
  refit(series);
  EXPECT_GT(series.forecaster().memory_bytes(), without) << "its model counts";
  tell(series, kMost - 10, kMost);
  EXPECT_EQ(series.forecaster().values().size(), std::size_t{kMost});
  EXPECT_LE(series.forecaster().memory_bytes(), 130'000U);
  tell(series, kMost, kMost + 1);
  EXPECT_EQ(series.forecaster().values().size(), TimedForecaster::kPointsMax + 1);
}

TEST(TimedForecaster, SavedAndLoadedItKnowsAllButTheTimeBetween) {
  TimedForecaster series = told(120);
  refit(series);
  series.observe(50, at(Step{120} + 200s));
  const std::string bytes = saved(series);
  TimedForecaster again;
  Reader in(bytes);
  ASSERT_TRUE(again.load(in));
  EXPECT_TRUE(in.at_end());
  EXPECT_GT(again.forecaster().memory_bytes(), bytes.size()) << "its model counts";
  EXPECT_EQ(saved(again), bytes);
  again.observe(1000, at(Step{120} + 290s));
  again.observe(50, at(Step{121}));
  EXPECT_EQ(again.forecaster().values().back(), 50) << "of what was before, nothing is told";
  const auto outlook = outlook_of(again.forecaster(), again.begins());
  ASSERT_TRUE(outlook) << "without a refit";
  EXPECT_EQ(outlook->refitted_at, at(Step{120}));
}

TEST(TimedForecaster, RefusesWhatIsDamaged) {
  const std::string bytes = saved(told(10));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    TimedForecaster series = told(3);
    const std::string before = saved(series);
    Reader in(std::string_view(bytes).substr(0, size));
    EXPECT_FALSE(series.load(in));
    EXPECT_EQ(saved(series), before);
  }
  std::string other = bytes;
  other[0] = 2;
  Reader in(other);
  EXPECT_EQ(TimedForecaster().load(in).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace liminal::forecast
