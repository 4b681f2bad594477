#include "core/stats/trend.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/stats/normal.hpp"

namespace liminal::stats {
namespace {

constexpr double kDay = 86'400;

TEST(NormalBelow, IsRightToSixDigits) {
  EXPECT_NEAR(normal_below(0), .5, 1e-6);
  EXPECT_NEAR(normal_below(1.959964), .975, 1e-6);
  EXPECT_NEAR(normal_below(-3), .0013499, 1e-6);
}

TEST(Trend, SaysWhenAFillingDiskIsFull) {
  Trend used, free;
  Random random(3);
  for (std::int64_t t = 0; t < 1440; ++t) {
    const double ratio = .3 + .2 * static_cast<double>(t) / 1440 + .002 * random.normal();
    used.observe(t, ratio);
    free.observe(t, 1e12 * (1 - ratio));
  }
  for (const auto& passage :
       {used.passage(1, 7 * kDay), free.passage(0, 7 * kDay, Trend::Side::kBelow)}) {
    ASSERT_TRUE(passage && passage->expected_s);
    EXPECT_NEAR(*passage->expected_s, 2.5 * kDay, .2 * kDay);
    EXPECT_GT(passage->probability, .95);
  }
  EXPECT_LT(used.passage(1, kDay)->probability, .05);
  EXPECT_EQ(used.passage(.2, 1)->probability, 1) << "it is reached";
  const auto away = used.passage(0, 7 * kDay, Trend::Side::kBelow);
  EXPECT_FALSE(away->expected_s) << "it goes away from there";
  EXPECT_LT(away->probability, .01);
}

TEST(Trend, KnowsWhatFallsByTheClock) {
  Trend trend(Trend::Side::kBelow);
  const auto left = [](std::int64_t t) { return 30 * kDay - 60. * static_cast<double>(t); };
  for (std::int64_t t = 0; t < 300; ++t) trend.observe(t, left(t));
  const auto passage = trend.passage(0, 40 * kDay, Trend::Side::kBelow);
  ASSERT_TRUE(passage && passage->expected_s);
  EXPECT_NEAR(*passage->expected_s, left(300), 1200);
  EXPECT_NEAR(passage->probability, 1, 1e-6);
  EXPECT_NEAR(trend.passage(0, 20 * kDay, Trend::Side::kBelow)->probability, 0, 1e-6);
}

TEST(Trend, BeginsAnewWhenItIsRenewed) {
  for (std::int64_t renewed = 700; renewed < 710; ++renewed) {
    Trend renewing(Trend::Side::kBelow), other;
    const auto value = [&](std::int64_t t) {
      return (t < renewed ? 1000. : 1e6) - static_cast<double>(t - t % 3);
    };
    for (std::int64_t t = 0; t < 1000; ++t) {
      renewing.observe(t, value(t));
      other.observe(t, value(t));
    }
    const auto falls = renewing.passage(0, 7 * kDay, Trend::Side::kBelow);
    ASSERT_TRUE(falls);
    EXPECT_LT(falls->probability, .01) << "what was before " << renewed << " does not count";
    EXPECT_GT(other.passage(0, 7 * kDay, Trend::Side::kBelow)->probability, falls->probability);
  }
}

TEST(Trend, AReplacedCertificateAlarmsNobody) {
  for (std::int64_t renewed = 1440; renewed < 1450; ++renewed) {
    Trend left(Trend::Side::kBelow);
    for (std::int64_t t = 0; t < 3 * 1440; ++t) {
      left.observe(t, (t < renewed ? 20 * kDay : 90 * kDay) - 60. * static_cast<double>(t));
      const auto ends = left.passage(0, 7 * kDay, Trend::Side::kBelow);
      ASSERT_LT(ends ? ends->probability : 0, .01) << t << " minutes, renewed at " << renewed;
    }
  }
}

double turn(std::int64_t minute) {
  return std::sin(2 * 3.14159265358979 * static_cast<double>(minute) / 1440);
}

/// What goes on as it is for ever.
struct Stationary {
  const char* name;
  double limit;
  double (*value)(std::int64_t minute, Random& random, double& state);
};
const Stationary kStationary[] = {
    {"noise", 70, [](std::int64_t, Random& random, double&) { return 50 + 2 * random.normal(); }},
    {"noise that lasts for hours",
     80,
     [](std::int64_t, Random& random, double& state) {
       state = .99 * state + .5 * random.normal();
       return 50 + state;
     }},
    {"a day", 90, [](std::int64_t t, Random&, double&) { return 60 + 20 * turn(t); }},
    {"a noisy day",
     90,
     [](std::int64_t t, Random& random, double&) { return 60 + 20 * turn(t) + random.normal(); }},
    {"a garbage collector",
     100,
     [](std::int64_t t, Random&, double&) { return static_cast<double>(t % 30) * 80 / 30; }},
    {"a log that is rotated each day",
     120,
     [](std::int64_t t, Random& random, double&) {
       return 10 + static_cast<double>(t % 1440) * 80 / 1440 + .1 * random.normal();
     }},
};

RC_GTEST_PROP(Trend, WhatIsStationaryIsToldNoTimeAndNoLimit, ()) {
  const Stationary one = *rc::gen::element(kStationary[0],
                                           kStationary[1],
                                           kStationary[2],
                                           kStationary[3],
                                           kStationary[4],
                                           kStationary[5]);
  Trend above(Trend::Side::kAbove), mirrored(Trend::Side::kBelow);
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  double state = 0;
  const auto minutes = *rc::gen::inRange<std::int64_t>(3 * 1440, 10 * 1440);
  for (std::int64_t t = 0; t < minutes; ++t) {
    const double value = one.value(t, random, state);
    above.observe(t, value);
    mirrored.observe(t, -value);
  }
  const auto passage = above.passage(one.limit, 7 * kDay);
  RC_ASSERT(passage.has_value());
  // What the shipped alert rule looks at.
  RC_ASSERT(!(passage->probability > .5 && passage->expected_s));
  RC_ASSERT(passage->probability < .5);
  const auto other = mirrored.passage(-one.limit, 7 * kDay, Trend::Side::kBelow);
  RC_ASSERT(std::abs(other->probability - passage->probability) < 1e-9);
}

RC_GTEST_PROP(Trend, AFurtherLimitIsNoLikelier, ()) {
  Trend trend;
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const double leak = *rc::gen::inRange(-10, 10) * .002, noise = *rc::gen::inRange(0, 30) * .1;
  const double swing = *rc::gen::inRange(0, 20);
  const auto minutes = *rc::gen::inRange<std::int64_t>(150, 8 * 1440);
  for (std::int64_t t = 0; t < minutes; ++t)
    trend.observe(t, leak * static_cast<double>(t) + swing * turn(t) + noise * random.normal());
  double last = 1;
  for (double limit = -100; limit < 400; limit += 5) {
    const auto passage = trend.passage(limit, 7 * kDay);
    RC_ASSERT(passage.has_value());
    RC_ASSERT(passage->probability >= 0 && passage->probability <= last + 1e-6);
    last = passage->probability;
  }
}

RC_GTEST_PROP(Trend, ACleanLeakSaysWhenItEnds, ()) {
  const double a_day = *rc::gen::inRange(5, 30), swing = *rc::gen::inRange(0, 10);
  const auto minutes = *rc::gen::inRange<std::int64_t>(3 * 1440, 6 * 1440);
  Trend trend;
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const auto mean = [&](std::int64_t t) { return 100 + a_day * static_cast<double>(t) / 1440; };
  for (std::int64_t t = 0; t < minutes; ++t)
    trend.observe(t, mean(t) + swing * turn(t) + .3 * random.normal());
  const double days = *rc::gen::inRange(20, 60) * .1;
  const auto passage = trend.passage(mean(minutes) + swing + days * a_day, 7 * kDay);
  RC_ASSERT(passage && passage->expected_s);
  RC_ASSERT(std::abs(*passage->expected_s / kDay - days - swing / a_day) < .15 * days + .5);
  if (days + swing / a_day < 6.5) RC_ASSERT(passage->probability > .9);
}

TEST(Trend, TheFirstMorningIsNoLeak) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Trend trend;
    Random random(seed);
    for (std::int64_t t = 0; t < 480; ++t)
      trend.observe(t, 60 + 20 * turn(t - 240) + random.normal());
    EXPECT_LT(trend.passage(90, 7 * kDay)->probability, .5) << seed;
  }
}

TEST(Trend, ALeakThatBeganThreeHoursAgoIsSeen) {
  Trend trend;
  Random random(1);
  for (std::int64_t t = 0; t < 3 * 1440; ++t)
    trend.observe(t,
                  50 + .2 * static_cast<double>(std::max<std::int64_t>(0, t - 3 * 1440 + 180)) +
                      .5 * random.normal());
  const auto passage = trend.passage(200, 7 * kDay);
  ASSERT_TRUE(passage->expected_s);
  EXPECT_NEAR(*passage->expected_s, (200 - 86) / .2 * 60, 3600);
  EXPECT_GT(passage->probability, .9);
}

TEST(Trend, ADiskThatIsCleanedEachNightIsNeverFull) {
  Trend left(Trend::Side::kBelow);
  Random random(1);
  for (std::int64_t t = 0; t < 5 * 1440; ++t) {
    left.observe(t, 1000 - .2 * static_cast<double>(t % 1440) + random.normal());
    if (t < 2 * 1440 || t % 60 != 0) continue;
    const auto passage = left.passage(100, 7 * kDay, Trend::Side::kBelow);
    ASSERT_TRUE(passage);
    ASSERT_LT(passage->probability, .2) << t;
    ASSERT_FALSE(passage->expected_s) << t;
  }
}

TEST(Trend, ReadsWhatWasSavedBeforeItKnewDays) {
  Trend trend(Trend::Side::kAbove);
  Random random(1);
  for (std::int64_t t = 0; t < 1440; ++t)
    trend.observe(t, .3 + .2 * static_cast<double>(t) / 1440 + .002 * random.normal());
  Writer saved;
  trend.save(saved);
  constexpr std::size_t kBefore = 432 * 4 + 4 + 8 + 8 + 4;
  Trend again(Trend::Side::kAbove);
  Reader in(std::string_view(saved.bytes()).substr(0, kBefore));
  ASSERT_TRUE(again.load_blocks(in) && in.at_end());
  EXPECT_EQ(again.passage(1, 7 * kDay)->expected_s, trend.passage(1, 7 * kDay)->expected_s);
  EXPECT_LE(saved.bytes().size() - kBefore, 200U);
}

TEST(Trend, KnowsNothingAtFirstAndAfterAGap) {
  Trend trend;
  for (std::int64_t t = 0; t <= 130; ++t) trend.observe(t, 1);
  EXPECT_TRUE(trend.passage(2, kDay));
  trend.observe(200, 1);
  EXPECT_FALSE(trend.passage(2, kDay));
}

TEST(Trend, AConstantValueGetsNowhere) {
  Trend trend(Trend::Side::kBelow);
  for (std::int64_t t = 0; t < 2000; ++t) trend.observe(t, 5);
  EXPECT_EQ(trend.passage(6, 7 * kDay)->probability, 0);
  EXPECT_FALSE(trend.passage(6, 7 * kDay)->expected_s);
  EXPECT_EQ(trend.passage(5, 7 * kDay)->probability, 1);
}

RC_GTEST_PROP(Trend, SavedAndLoadedHasTheSameFuture, (std::uint16_t seed)) {
  Trend trend(Trend::Side::kBelow);
  Random random(seed);
  const auto next = [&](Trend& of, std::int64_t t, double step) { of.observe(t, step); };
  const int before = *rc::gen::inRange(0, 6000);
  for (int t = 0; t < before; ++t) next(trend, t, random.normal());
  Writer saved;
  trend.save(saved);
  Trend again(Trend::Side::kBelow);
  Reader in(saved.bytes());
  RC_ASSERT(again.load(in).has_value() && in.at_end());
  for (int t = before; t < before + 200; ++t) {
    const double value = random.normal();
    next(trend, t, value);
    next(again, t, value);
  }
  const auto a = trend.passage(9, kDay), b = again.passage(9, kDay);
  RC_ASSERT(a.has_value() == b.has_value());
  if (a) RC_ASSERT(a->probability == b->probability && a->expected_s == b->expected_s);
}

RC_GTEST_PROP(Trend, GivesAProbability, (std::vector<double> values)) {
  Trend trend(*rc::gen::element(std::optional<Trend::Side>(),
                                std::optional(Trend::Side::kAbove),
                                std::optional(Trend::Side::kBelow)));
  for (std::size_t i = 0; i < 200 && !values.empty(); ++i) {
    const double value = values[i % values.size()];
    if (std::isfinite(value)) trend.observe(static_cast<std::int64_t>(10 * i), value);
  }
  const auto passage = trend.passage(1, kDay);
  if (passage) RC_ASSERT(passage->probability >= 0 && passage->probability <= 1);
}

}  // namespace
}  // namespace liminal::stats
