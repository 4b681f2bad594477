#include "core/novelty/metric_series.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/hash.hpp"
#include "core/base/random.hpp"

namespace liminal::novelty {
namespace {

using State = MetricScore::State;

EventTime minute(double i) { return EventTime{from_seconds(1e9 + 60 * i)}; }

/// A quiet series of so many points.
MetricSeries quiet(int points, Random& random, const SeriesSettings& settings = {}) {
  MetricSeries series(settings);
  for (int i = 0; i < points; ++i) series.step(random.uniform(40, 60), minute(i));
  return series;
}

std::uint64_t hash_of(const MetricSeries& series) {
  Writer out;
  series.save(out);
  return hash64(out.bytes());
}

TEST(MetricSeries, IsOngoingWhileAnIncidentLastsAndThenTheNewLevelIsOrdinary) {
  Random random(1);
  MetricSeries series = quiet(2000, random);
  EXPECT_EQ(series.step(90, minute(2000)).state, State::kNew);
  int ongoing = 0;
  State last = State::kNew;
  for (int i = 1; i < 400; ++i) {
    last = series.step(90 + random.uniform(), minute(2000 + i)).state;
    ongoing += last == State::kOngoing ? 1 : 0;
  }
  EXPECT_GT(ongoing, 50);
  EXPECT_LT(ongoing, 250);
  EXPECT_EQ(last, State::kNormal);
}

TEST(MetricSeries, TellsAnEqualSecondIncidentRightAfterTheFirst) {
  Random random(2);
  MetricSeries series = quiet(2000, random);
  int i = 2000;
  const auto incident = [&] {
    int alarms = 0;
    for (int k = 0; k < 5; ++k) alarms += series.step(95, minute(i++)).score >= 1 ? 1 : 0;
    for (int k = 0; k < 20; ++k)
      EXPECT_LT(series.step(random.uniform(40, 60), minute(i++)).score, 1);
    return alarms;
  };
  EXPECT_EQ(incident(), 1);
  EXPECT_EQ(incident(), 1) << "the second";
  EXPECT_EQ(incident(), 1);
  EXPECT_EQ(incident(), 1);
  EXPECT_EQ(incident(), 0) << "by now it is how this series is";
}

TEST(MetricSeries, ALevelNotAsFarOutIsNoRepetition) {
  Random random(3);
  MetricSeries series = quiet(2000, random);
  EXPECT_GE(series.step(95, minute(2000)).score, 1);
  for (int k = 1; k < 20; ++k) series.step(random.uniform(40, 60), minute(2000 + k));
  EXPECT_LT(series.step(61, minute(2020)).score, 1);
}

TEST(MetricSeries, SaysNothingBeforeItsOwnerWantsToHearAgainButLearns) {
  Random random(12);
  MetricSeries series = quiet(2000, random, {.suppress_until = minute(2010)});
  for (int i = 2000; i < 2010; ++i) {
    const SeriesScore score = series.step(i < 2005 ? 95 : random.uniform(40, 60), minute(i));
    EXPECT_EQ(score.score, 0);
    if (i == 2000) {
      EXPECT_GE(score.rarity, 1);
      EXPECT_EQ(score.state, State::kOngoing);
    }
  }
  EXPECT_EQ(series.points(), 2010U);
  EXPECT_TRUE(series.expected(95, minute(2010))->holds(95)) << "it was learnt";
  for (int i = 2010; i < 2030; ++i)
    EXPECT_LT(series.step(random.uniform(40, 60), minute(i)).score, 1);
  const SeriesScore back = series.step(95, minute(2030));
  EXPECT_GE(back.score, 1) << "nobody was told of the first";
  EXPECT_EQ(back.state, State::kNew);
}

TEST(MetricSeries, TellsWhatIsNotOrdinaryStillWhenItsSuppressionEnds) {
  Random random(13);
  const MetricSeries before = quiet(2000, random);
  const auto alarms = [&](std::optional<EventTime> until, std::optional<EventTime> then) {
    MetricSeries series = before;
    series.configure({.suppress_until = until});
    const bool first = series.step(95, minute(2000)).score >= 1;
    series.configure({.suppress_until = then});
    return std::pair(first, series.step(140, minute(2001)).score >= 1);
  };
  EXPECT_EQ(alarms(minute(2001), minute(2001)), std::pair(false, true));
  EXPECT_EQ(alarms(minute(9000), std::nullopt), std::pair(false, true)) << "ended early";
  EXPECT_EQ(alarms(minute(9000), minute(9000)), std::pair(false, false));
  EXPECT_EQ(alarms(minute(2000), minute(2000)).first, true) << "it had ended";
}

TEST(MetricSeries, ExpectsTheOrdinaryStretchAroundAValueOutsideOfIt) {
  Random random(4);
  const MetricSeries series = quiet(3000, random);
  const auto range = series.expected(95, minute(3000));
  ASSERT_TRUE(range);
  EXPECT_NEAR(range->low, 40, 2);
  EXPECT_NEAR(range->high, 60, 2);
  EXPECT_EQ(series.expected(50, minute(3000)), range);
}

RC_GTEST_PROP(MetricSeries,
              WhatAlarmsByItsLevelLiesOutsideOfWhatWasExpected,
              (std::uint32_t seed)) {
  Random random(seed);
  MetricSeries series = quiet(600, random);
  for (int i = 600; i < 700; ++i) {
    const double value = random.chance(.1) ? random.uniform(0, 200) : random.uniform(40, 60);
    const auto range = series.expected(value, minute(i));
    RC_ASSERT(range.has_value());
    RC_ASSERT(range->low <= range->high);
    MetricSeries copy = series;
    // A point far beyond is outside in any case.
    RC_ASSERT(!copy.expected(1e4, minute(i))->holds(1e4));
    series.step(value, minute(i));
  }
}

TEST(MetricSeries, JudgesACountersRateAndTakesAResetForWhatItIs) {
  SeriesSettings settings;
  settings.counter = true;
  MetricSeries series(settings);
  Random random(5);
  double count = 1e6;
  int i = 0;
  for (; i < 1500; ++i) {
    count += 60 * random.uniform(9, 11);
    const float score = series.step(count, minute(i)).score;
    if (i > 300) {
      EXPECT_LT(score, 1) << i;
    }
  }
  count = 300;  // it began again
  EXPECT_LT(series.step(count, minute(i++)).score, 1);
  for (int k = 0; k < 100; ++k) {
    count += 60 * random.uniform(9, 11);
    EXPECT_LT(series.step(count, minute(i++)).score, 1);
  }
  const auto expected = series.expected(count + 600, minute(i));
  ASSERT_TRUE(expected);
  EXPECT_NEAR(expected->low, count + 540, 60);
  EXPECT_NEAR(expected->high, count + 660, 60);
  EXPECT_GE(series.step(count + 60 * 30, minute(i)).score, 1) << "three times the rate";
}

TEST(MetricSeries, ACounterNeedsTimeToHaveARate) {
  SeriesSettings settings;
  settings.counter = true;
  MetricSeries series(settings);
  for (int i = 0; i < 100; ++i) series.step(i, minute(0));
  EXPECT_EQ(series.points(), 0U);
}

TEST(MetricSeries, MissingPointsChangeNothing) {
  Random random(6);
  MetricSeries series = quiet(500, random);
  const std::uint64_t before = hash_of(series);
  EXPECT_EQ(series.step(std::numeric_limits<double>::quiet_NaN(), minute(600)).score, 0);
  EXPECT_EQ(series.step(std::numeric_limits<double>::infinity(), minute(600)).score, 0);
  EXPECT_EQ(hash_of(series), before);
}

TEST(MetricSeries, IrregularTimesAndPointsLeftOutSeldomAlarm) {
  Random random(7);
  MetricSeries series;
  double t = 0;
  int alarms = 0;
  for (int i = 0; i < 5000; ++i) {
    t += random.exponential();
    if (random.chance(.2)) continue;
    const double value = 100 + 20 * std::sin(t / 60) + random.normal();
    const SeriesScore score = series.step(value, minute(t));
    alarms += score.score >= 1 && i > 1000 ? 1 : 0;
  }
  EXPECT_LE(alarms, 5);
}

TEST(MetricSeries, AGapHoldsNoNewAlarmBack) {
  Random random(8);
  MetricSeries series = quiet(2000, random);
  EXPECT_GE(series.step(95, minute(2000)).score, 1);
  MetricSeries at_once = series;
  EXPECT_LT(at_once.step(100, minute(2001)).score, at_once.step(140, minute(2002)).score + 1);
  // Some hours later nothing of it is left.
  EXPECT_GE(series.step(130, minute(2300)).score, 1);
}

TEST(MetricSeries, TimeThatStandsStillOrGoesBackCountsAsNone) {
  MetricSeries still, back;
  Random random(9);
  for (int i = 0; i < 500; ++i) {
    const double value = random.normal();
    const SeriesScore a = still.step(value, minute(0));
    const SeriesScore b = back.step(value, minute(-i));
    EXPECT_EQ(a, b);
  }
  (void)back.step(0, EventTime::min());
  (void)back.step(0, EventTime::max());
}

TEST(MetricSeries, AConstantSeriesNeverAlarms) {
  MetricSeries series;
  for (int i = 0; i < 5000; ++i) EXPECT_LT(series.step(7, minute(i)).score, 1e-3);
  EXPECT_TRUE(series.expected()->holds(7));
}

TEST(MetricSeries, AlarmsAboutAsOftenAsItsOwnerWants) {
  // Spikes of every size, ten a week, in a noise: four a week are asked for.
  SeriesSettings settings;
  settings.alarms_per_week = 4;
  MetricSeries series(settings);
  MetricSeries unasked;
  Random random(10);
  constexpr int kWeek = 7 * 24 * 12;
  constexpr int kWeeks = 30, kSettled = 10;
  int alarms = 0, others = 0;
  for (int i = 0; i < kWeeks * kWeek; ++i) {
    const bool spike = random.chance(10. / kWeek);
    const double value = random.normal() + (spike ? 5 * random.exponential() : 0);
    const EventTime at{from_seconds(1e9 + 300. * i)};
    const bool counted = i >= kSettled * kWeek;
    alarms += series.step(value, at).score >= 1 && counted ? 1 : 0;
    others += unasked.step(value, at).score >= 1 && counted ? 1 : 0;
  }
  const double observed = alarms / static_cast<double>(kWeeks - kSettled);
  EXPECT_GT(observed, 2) << others;
  EXPECT_LT(observed, 6) << others;
}

TEST(MetricSeries, TakesARangeAtAnyTimeAndKeepsWhatItLearnt) {
  Random random(11);
  for (const int points : {0, 10, 64, 2000}) {
    MetricSeries series = quiet(points, random);
    SeriesSettings settings;
    settings.range = Range{0, 100};
    series.configure(settings);
    EXPECT_EQ(series.settings().range, settings.range);
    EXPECT_EQ(series.points(), static_cast<std::uint32_t>(points));
    if (points < 2000) continue;
    EXPECT_LT(series.step(50, minute(points)).score, 1);
    EXPECT_GE(series.step(95, minute(points + 1)).score, 1);
  }
}

TEST(MetricSeries, RefusesSettingsThatMakeNoSense) {
  SeriesSettings settings;
  settings.range = Range{1, 1};
  settings.alarms_per_week = -1;
  const Problems problems = validate(settings);
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].key, "max");
  EXPECT_EQ(problems[1].key, "alarms_per_week");
  settings.range = Range{-1e308, 1e308};
  settings.alarms_per_week = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(validate(settings).size(), 2U);
  EXPECT_TRUE(validate({}).empty());
}

RC_GTEST_PROP(MetricSeries, SavedAndLoadedHasTheSameFuture, (std::uint16_t seed, bool counter)) {
  SeriesSettings settings;
  settings.counter = counter;
  settings.alarms_per_week = *rc::gen::element(0., 3.);
  if (*rc::gen::arbitrary<bool>()) settings.suppress_until = minute(*rc::gen::inRange(-9, 1200));
  MetricSeries series(settings);
  Random random(seed);
  const int before = *rc::gen::inRange(0, 900);
  const auto value = [&](int i) { return random.normal() + (i % 90 == 0 ? 20 : 0); };
  for (int i = 0; i < before; ++i) series.step(value(i), minute(i));
  Writer saved;
  series.save(saved);
  MetricSeries loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  RC_ASSERT(loaded.settings() == settings);
  for (int i = before; i < before + 300; ++i) {
    const double next = value(i);
    RC_ASSERT(series.step(next, minute(i)) == loaded.step(next, minute(i)));
  }
  RC_ASSERT(hash_of(series) == hash_of(loaded));
}

TEST(MetricSeries, FitsItsMemory) { EXPECT_LE(sizeof(MetricSeries), 1024U); }

}  // namespace
}  // namespace liminal::novelty
