#include "core/scaling/load_line.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::scaling {
namespace {

LoadLine straight(Random& random, int minutes, double noise) {
  LoadLine line;
  for (int i = 0; i < minutes; ++i) {
    const double x = 20 + 60 * random.uniform();
    line.add(x, .1 + .01 * x + noise * random.normal());
  }
  return line;
}

TEST(LoadLine, IsThatOfItsPoints) {
  Random random(1);
  const auto fit = straight(random, 500, 0).fit(.05);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->intercept, .1, 1e-4);
  EXPECT_NEAR(fit->slope, .01, 1e-5);
}

TEST(LoadLine, KnowsHowFarItIsOff) {
  // 200 lines: within two of its errors 95 % of them; fewer than 172 has a probability below 1e-6.
  int within = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const auto fit = straight(random, 200, .05).fit(.05);
    ASSERT_TRUE(fit);
    if (std::abs(fit->at(150) - 1.6) < 2 * fit->error_at(150)) ++within;
  }
  EXPECT_GE(within, 172);
}

TEST(LoadLine, WhatIsNoLineIsLessCertain) {
  Random random(1);
  LoadLine straight, bent;
  for (int i = 0; i < 1000; ++i) {
    const double x = 20 + 60 * random.uniform(), noise = .01 * random.normal();
    straight.add(x, .01 * x + noise);
    bent.add(x, .0001 * x * x + noise);
  }
  EXPECT_GT(bent.fit(.05)->error_at(100), 4 * straight.fit(.05)->error_at(100));
}

RC_GTEST_PROP(LoadLine, AFewMinutesElsewhereHardlyMoveIt, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  LoadLine line = straight(random, 500, .02);
  const double load = *rc::gen::inRange(1, 2000), value = *rc::gen::inRange(-10, 1000) * .1;
  for (int i = 0; i < 10; ++i) line.add(load, value);
  const auto fit = line.fit(.05);
  RC_ASSERT(fit.has_value());
  RC_ASSERT(std::abs(fit->at(85) - .95) < .05);
}

RC_GTEST_PROP(LoadLine, ABoundThatIsKeptSaysNothing, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  LoadLine line = straight(random, 500, .02);
  const auto alone = line.fit(.05);
  const double load = *rc::gen::inRange(95, 3000);
  for (int i = 0; i < 100; ++i) line.add_bound(load, .95);
  RC_ASSERT(line.fit(.05)->slope == alone->slope);
}

RC_GTEST_PROP(LoadLine, ABoundNeverLowersALineThatRises, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  LoadLine line = straight(random, 500, .02);
  const auto alone = line.fit(.05);
  const double load = *rc::gen::inRange(50, 300);
  for (int i = *rc::gen::inRange(1, 1000); i > 0; --i) line.add_bound(load, .95);
  const auto bound = line.fit(.05);
  RC_ASSERT(bound->at(load) >= std::min(.95, alone->at(load)) - 1e-3);
}

TEST(LoadLine, FollowsAnotherLawAsFastAsItForgets) {
  Random random(1);
  LoadLine line = straight(random, 1440, .02);
  for (int i = 0; i < 1440; ++i) {
    line.decay(1 - 1. / 1440);
    const double x = 20 + 60 * random.uniform();
    line.add(x, .1 + .005 * x + .02 * random.normal());
  }
  EXPECT_LT(line.fit(.05)->at(80), .67) << "six tenths of the way from .9 to .5";
}

RC_GTEST_PROP(LoadLine, SavedAndLoadedIsTheSame, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  LoadLine line = straight(random, *rc::gen::inRange(0, 300), .02);
  line.add_bound(90, .95);
  line.decay(.9);
  Writer saved;
  line.save(saved);
  Reader in(saved.bytes());
  LoadLine again;
  RC_ASSERT(again.load(in).has_value() && in.at_end());
  line.add(50, .5);
  again.add(50, .5);
  Writer a, b;
  line.save(a);
  again.save(b);
  RC_ASSERT(a.bytes() == b.bytes());
}

TEST(LoadLine, BeginsWithTheSumsOfAnOlderOne) {
  std::array<double, 7> sums{};
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const double x = 20 + 60 * random.uniform(), y = .1 + .01 * x;
    const double of[7] = {1, 1, x, y, x * x, x * y, y * y};
    for (std::size_t k = 0; k < 7; ++k) sums[k] += of[k];
  }
  LoadLine line;
  line.begin_with(sums);
  EXPECT_NEAR(line.points(), 60, 1e-3);
  const auto fit = line.fit(.05);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->slope, .01, 1e-4);
  EXPECT_NEAR(fit->intercept, .1, 1e-2);
  LoadLine narrow;
  narrow.begin_with({500, 500, 500 * 100., 500 * .5, 500 * 10'001., 500 * 50.01, 500 * .2501});
  EXPECT_NEAR(narrow.proportional(), .005, 1e-4);
}

TEST(LoadLine, OneHungMinuteIsOneOfMany) {
  Random random(1);
  LoadLine line({.relative_noise = true, .falls = true});
  for (int i = 0; i < 1000; ++i) {
    const double x = 20 + 60 * random.uniform();
    line.add(x, (1 - x / 100) / .05 * (1 + .1 * random.normal()));
  }
  const double before = line.fit(.05)->at(50);
  line.add(29, 1. / 30);
  EXPECT_NEAR(line.fit(.05)->at(50), before, .01 * before);
}

}  // namespace
}  // namespace liminal::scaling
