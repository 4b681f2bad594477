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
