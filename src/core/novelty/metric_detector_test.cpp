#include "core/novelty/metric_detector.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::novelty {
namespace {

using State = MetricScore::State;

double noisy_day(Random& random, int i) {
  return 100 + 20 * std::sin(i * 2 * 3.14159265 / 288) + random.normal();
}

TEST(MetricDetector, AlarmsWhenALevelIsNewAndNotWhileItIsOrdinary) {
  MetricDetector detector;
  Random random(1);
  int alarms = 0;
  for (int i = 0; i < 3000; ++i)
    alarms += detector.step(noisy_day(random, i)).score >= 1 && i > 600 ? 1 : 0;
  EXPECT_LE(alarms, 2) << "of noise that was never as far out";
  const MetricScore spike = detector.step(220);
  EXPECT_GE(spike.score, 1);
  EXPECT_EQ(spike.state, State::kNew);
  EXPECT_EQ(detector.step(220.5).score, 0) << "the same level again is nothing new";
}

TEST(MetricDetector, FindsALevelBetweenTwoOrdinaryOnes) {
  MetricDetector detector;
  Random random(2);
  for (int i = 0; i < 2000; ++i) detector.step((i / 50 % 2 == 0 ? 10 : 90) + random.normal());
  EXPECT_GE(detector.step(50).score, 1);
}

TEST(MetricDetector, SaysNothingWhileItLearns) {
  MetricDetector detector;
  for (std::uint32_t i = 0; i < MetricDetector::kWarmUp; ++i) {
    const MetricScore score = detector.step(i % 7);
    EXPECT_EQ(score.state, State::kLearning);
    EXPECT_EQ(score.score, 0);
  }
  EXPECT_NE(detector.step(3).state, State::kLearning);
}

TEST(MetricDetector, TellsOfItsFirstPointsOnlyWhatLiesFarOut) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    MetricDetector noise, climb;
    Random random(seed);
    for (int i = 0; i < 200; ++i) {
      EXPECT_LT(noise.step(random.normal()).score, 1) << seed << ", point " << i;
      EXPECT_LT(climb.step(i + random.normal()).score, 1) << seed << ", point " << i;
    }
  }
  MetricDetector detector;
  Random random(1);
  for (int i = 0; i < 100; ++i) (void)detector.step(random.normal());
  const float score = detector.step(20).score;
  EXPECT_GE(score, 1);
  EXPECT_LT(score, 1e4F);
}

TEST(MetricDetector, AConstantSeriesNeverAlarms) {
  for (const double level : {0., 1e-300, -7.5, 1e300}) {
    MetricDetector detector;
    for (int i = 0; i < 30'000; ++i) EXPECT_LT(detector.step(level).score, 1e-3);
  }
}

RC_GTEST_PROP(MetricDetector, WhatLeavesAConstantScoresByHowLongItWasConstant, ()) {
  // A level, or one with the rounding of sums; and whatever comes instead of it.
  const double level = *rc::gen::element(0., 1., -7.5, 1e-6, 1.7e9);
  const double rounding = *rc::gen::element(0., 1e-15);
  const auto points = *rc::gen::inRange(64, 3000);
  const double away = *rc::gen::element(1e-3, 1., 12.5, 1e6, 1e15) * *rc::gen::element(-1., 1.);
  MetricDetector detector;
  for (int i = 0; i < points; ++i) detector.step(level * (1 + rounding * (i % 3)));
  const MetricScore left = detector.step(level + away * std::max(1., std::abs(level)));
  const double most = points / 536.6;
  RC_ASSERT(left.few_levels);
  RC_ASSERT(static_cast<double>(left.rarity) <= most * (1 + 1e-6));
  RC_ASSERT(left.score == left.rarity);
  RC_ASSERT((left.state == State::kNew) == (most >= 1));
}

RC_GTEST_PROP(MetricDetector, NoScoreIsBeyondItsBound, (const std::vector<double>& values)) {
  MetricDetector detector;
  Random random(6);
  // Known well enough that nothing but the last bound holds.
  for (int i = 0; i < 400; ++i) detector.step(random.normal());
  for (const double value : values) {
    const MetricScore score = detector.step(value);
    RC_ASSERT(static_cast<double>(score.score) <= kScoreMax);
    RC_ASSERT(static_cast<double>(score.rarity) <= kScoreMax);
  }
}

TEST(MetricDetector, OfASwitchAThirdStateIsAsRareAsItIsNew) {
  MetricDetector detector;
  for (int i = 0; i < 2000; ++i) detector.step(i / 100 % 2);
  const MetricScore third = detector.step(7);
  EXPECT_GE(third.score, 1);
  EXPECT_LT(third.score, 1.001 * 2000 / 536.6);
}

TEST(MetricDetector, ADeclaredRangeTellsWhatIsLargeForAConstant) {
  MetricDetector detector;
  detector.declare({0, 100});
  for (int i = 0; i < 300; ++i) detector.step(50);
  EXPECT_GE(detector.step(90).score, 1);
}

TEST(MetricDetector, AMissingPointChangesNothing) {
  MetricDetector detector;
  Random random(3);
  for (int i = 0; i < 500; ++i) detector.step(random.normal());
  const std::uint64_t before = detector.state_hash();
  for (const double missing : {std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(detector.step(missing).score, 0);
    EXPECT_EQ(detector.state_hash(), before);
  }
}

TEST(MetricDetector, ExpectsWhatItSaw) {
  MetricDetector detector;
  EXPECT_FALSE(detector.expected());
  Random random(4);
  for (int i = 0; i < 3000; ++i) detector.step(random.uniform(40, 60));
  const auto range = detector.expected();
  ASSERT_TRUE(range);
  EXPECT_NEAR(range->low, 40, 1);
  EXPECT_NEAR(range->high, 60, 1);
}

TEST(MetricDetector, ADeclaredRangeNeedsNoWarmUp) {
  MetricDetector detector;
  detector.declare({0, 100});
  EXPECT_EQ(detector.step(50).state, State::kNormal);
  EXPECT_EQ(detector.points(), 1u);
}

RC_GTEST_PROP(MetricDetector,
              IsFiniteWhateverComes,
              (const std::vector<double>& values, bool declared)) {
  MetricDetector detector;
  if (declared) detector.declare({-1, 1});
  Random random(5);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40; ++i) detector.step(random.normal());
    for (const double value : values) {
      const MetricScore score = detector.step(value);
      RC_ASSERT(std::isfinite(score.score) && score.score >= 0);
      RC_ASSERT(std::isfinite(score.novelty) && score.novelty >= 0);
      RC_ASSERT(std::isfinite(score.evidence) && score.evidence >= 0);
    }
  }
}

RC_GTEST_PROP(MetricDetector, SavedAndLoadedHasTheSameFuture, (std::uint16_t seed)) {
  const int before = *rc::gen::inRange(0, 1500);
  MetricDetector detector;
  Random random(seed);
  for (int i = 0; i < before; ++i) detector.step(noisy_day(random, i));
  Writer saved;
  detector.save(saved);
  MetricDetector loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  for (int i = before; i < before + 300; ++i) {
    const double value = noisy_day(random, i) + (i % 100 == 0 ? 60 : 0);
    RC_ASSERT(detector.step(value) == loaded.step(value));
  }
  RC_ASSERT(detector.state_hash() == loaded.state_hash());
}

TEST(MetricDetector, CanBeSavedWhateverRangeIsDeclared) {
  const std::array<Range, 4> ranges{
      {{0, 5e-324}, {1e100, 1.0000001e100}, {-1e308, 7e307}, {.5, .5 + 1e-16}}};
  for (const Range& range : ranges) {
    MetricDetector detector;
    Random random(9);
    for (int i = 0; i < 500; ++i) detector.step(noisy_day(random, i));
    detector.declare(range);
    for (const double value : {.5, 1e100, -1e100, range.low, range.high}) {
      const MetricScore score = detector.step(value);
      EXPECT_TRUE(std::isfinite(score.score) && std::isfinite(score.evidence)) << range.high;
    }
    Writer out;
    detector.save(out);
    Reader in(out.bytes());
    EXPECT_TRUE(MetricDetector().load(in)) << range.high;
  }
}

TEST(MetricDetector, FitsItsMemory) { EXPECT_LE(MetricDetector::memory_bytes(), 704u); }

}  // namespace
}  // namespace liminal::novelty
