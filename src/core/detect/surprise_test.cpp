#include "core/detect/surprise.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/detect/gaps.hpp"

namespace liminal::detect {
namespace {

TEST(Surprise, IsZeroUpToTheExpectation) {
  EXPECT_EQ(surprise(3, 3, 2), 0);
  EXPECT_EQ(surprise(0, 3, 2), 0);
  EXPECT_EQ(surprise(std::nan(""), 3, 2), 0);
}

TEST(Surprise, BoundsTheTailOfANegativeBinomial) {
  // The exact tail P(X >= k) of mean 2 and r = 3, summed up.
  const double m = 2, r = 3;
  for (int k = 3; k < 40; ++k) {
    double tail = 0, p = std::pow(r / (r + m), r);
    for (int i = 0; i < 400; ++i) {
      if (i >= k) tail += p;
      p *= (i + r) / (i + 1) * m / (m + r);
    }
    EXPECT_LE(surprise(k, m, r), -std::log(tail)) << k;
    EXPECT_GE(surprise(k, m, r), -std::log(tail) - 4) << k;
  }
}

RC_GTEST_PROP(Surprise, TheCheapBoundIsNeverWrong, ()) {
  const double m = *rc::gen::inRange(100, 100'000) * .01, r = *rc::gen::inRange(10, 1000) * .01;
  const double k = m + *rc::gen::inRange(0, 10'000) * .01, nats = *rc::gen::inRange(1, 1000) * .01;
  if (surely_below(k, m, r, nats)) RC_ASSERT(surprise(k, m, r) < nats + 1e-9);
}

RC_GTEST_PROP(Surprise, TheExpectedRangeEndsWhereTheSurpriseIs, ()) {
  const double m = *rc::gen::inRange(100, 10'000) * .01, r = *rc::gen::inRange(20, 1000) * .01;
  const double nats = *rc::gen::inRange(200, 1200) * .01;
  RC_ASSERT(std::abs(surprise(count_at(m, r, nats), m, r) - nats) < .15 * nats);
}

TEST(NormalSurprise, IsTheLogarithmOfTheUpperTail) {
  for (double z = .001; z <= 5; z += .01)
    EXPECT_NEAR(normal_surprise(z), -std::log(.5 * std::erfc(z / std::sqrt(2.))), 5e-4) << z;
  EXPECT_EQ(normal_surprise(-1), 0);
  EXPECT_EQ(normal_surprise(9), normal_surprise(5));
  EXPECT_EQ(normal_surprise(std::nan("")), 0);
}

RC_GTEST_PROP(Gaps, SpreadIsThatOfTheLastSixteen, (const std::vector<std::uint16_t>& steps)) {
  Gaps gaps;
  std::vector<double> recent;
  for (const std::uint16_t step : steps) {
    gaps.add(step / 8192.);
    recent.push_back(step / 8192.);
    if (recent.size() > 16) recent.erase(recent.begin());
    if (recent.size() < Gaps::kGapsMin) continue;
    std::vector<double> sorted = recent;
    std::sort(sorted.begin(), sorted.end());
    const double expected =
        (sorted[sorted.size() * 13 / 16] - sorted[sorted.size() * 3 / 16]) / 1.78;
    RC_ASSERT(std::abs(gaps.spread() - Gaps::kSpreadMin - expected) < .001);
  }
}

}  // namespace
}  // namespace liminal::detect
