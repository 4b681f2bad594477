#include "core/novelty/alarm_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::novelty {
namespace {

TEST(AlarmBudget, BeginsAtTheLineOfAll) {
  const AlarmBudget budget;
  for (const double alarms : {.1, 1., 50.}) EXPECT_NEAR(budget.line(alarms), 1, 1e-9);
}

/// Emissions come 500 a week, above s one in 1 + 40·s^.34.
double emission(Random& random) {
  const double share = 1 - random.uniform();
  return exp(log(std::max(1e-9, (1 / share - 1) / 40)) / .34);
}

TEST(AlarmBudget, TellsHowOftenItWasAboveALine) {
  AlarmBudget budget;
  EXPECT_EQ(budget.observed(1), 0);
  for (const double emitted : {.5, 1., 1., 3., 1e6, 0.}) budget.learn(emitted, .1);
  EXPECT_NEAR(budget.observed(1), 4 / .6, 1e-5);
  EXPECT_NEAR(budget.observed(1 / 16.), 5 / .6, 1e-5);
  EXPECT_NEAR(budget.observed(4), 1 / .6, 1e-5);
}

TEST(AlarmBudget, GivesAsManyAlarmsAWeekAsItsOwnerWants) {
  for (const double wanted : {3., 5., 10.}) {
    AlarmBudget budget;
    Random random(7);
    double alarms = 0;
    constexpr int kWeeks = 60, kSettled = 12;
    for (int week = 0; week < kWeeks; ++week) {
      for (int i = 0; i < 500; ++i) {
        const double emitted = emission(random);
        if (week >= kSettled && emitted >= budget.line(wanted)) ++alarms;
        budget.learn(emitted, 1. / 500);
      }
    }
    const double observed = alarms / (kWeeks - kSettled);
    EXPECT_NEAR(budget.observed(budget.line(wanted)), observed, observed * .35) << wanted;
    // Half an octave of the line is worth 12 %; the rest is chance.
    EXPECT_GT(observed, wanted * .6) << wanted;
    EXPECT_LT(observed, wanted * 1.4) << wanted;
  }
}

TEST(AlarmBudget, StaysWithinItsBoundsWhateverHappens) {
  AlarmBudget budget;
  for (int i = 0; i < 1000; ++i) budget.learn(1e30, 0);
  EXPECT_LE(budget.line(.01), 256);
  AlarmBudget quiet;
  for (int i = 0; i < 1000; ++i) quiet.learn(0, 1);
  EXPECT_GE(quiet.line(10'000), 1. / 16);
}

TEST(AlarmBudget, OfADamagedStateThatLoadsCanBeSavedAndLoadedAgain) {
  Writer damaged;
  for (int bin = 0; bin < 24; ++bin) damaged.put(0.F);
  damaged.put(1e3F);
  damaged.put(.5F);
  AlarmBudget budget;
  Reader first(damaged.bytes());
  budget.load(first);
  ASSERT_TRUE(first.ok());
  budget.learn(0, .25);
  Writer out;
  budget.save(out);
  Reader second(out.bytes());
  budget.load(second);
  EXPECT_TRUE(second.ok());
}

TEST(AlarmBudget, IsTheSameAfterItWasSavedAndLoaded) {
  AlarmBudget budget;
  Random random(3);
  for (int i = 0; i < 2000; ++i) budget.learn(emission(random), .01);
  Writer out;
  budget.save(out);
  AlarmBudget loaded;
  Reader in(out.bytes());
  loaded.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(loaded.line(2), budget.line(2));
  Reader broken("xx");
  loaded.load(broken);
  EXPECT_FALSE(broken.ok());
}

}  // namespace
}  // namespace liminal::novelty
