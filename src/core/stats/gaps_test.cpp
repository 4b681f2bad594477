#include "core/stats/gaps.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

/// From the definition: weights that fall by 31/32, from the 32nd gap on.
struct Exact {
  double mean = 0, variance = 0;
};
Exact exact(const std::vector<double>& gaps) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const double share = 1. / static_cast<double>(std::min<std::size_t>(i + 1, 32));
    for (double& weight : weights) weight *= 1 - share;
    weights.push_back(share);
  }
  Exact result;
  for (std::size_t i = 0; i < gaps.size(); ++i) result.mean += weights[i] * gaps[i];
  for (std::size_t i = 0; i < gaps.size(); ++i)
    result.variance += weights[i] * (gaps[i] - result.mean) * (gaps[i] - result.mean);
  return result;
}

RC_GTEST_PROP(GapStatistics, AreTheWeightedMomentsByDefinition, (std::uint64_t seed)) {
  Random random(seed);
  GapStatistics gaps;
  std::vector<double> all;
  for (std::uint64_t i = 1 + random.below(200); i > 0; --i) {
    all.push_back(random.exponential() * (random.chance(.1) ? 600 : 2));
    gaps.add(all.back());
  }
  const Exact wanted = exact(all);
  RC_ASSERT(std::abs(gaps.mean() - wanted.mean) <= 1e-4 * wanted.mean);
  RC_ASSERT(std::abs(gaps.variance() - wanted.variance) <=
            1e-4 * (wanted.variance + wanted.mean * wanted.mean));
}

TEST(GapStatistics, TellAClockFromChanceFromBursts) {
  GapStatistics clock, chance, bursts;
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    clock.add(5);
    chance.add(random.exponential());
    bursts.add(i % 20 == 0 ? 300 : .1);
  }
  EXPECT_NEAR(clock.burstiness(), -1, 1e-3);
  EXPECT_NEAR(chance.burstiness(), 0, .25);
  EXPECT_GT(bursts.burstiness(), .5);
}

TEST(GapStatistics, SayNothingOfTooFewGapsOrTimeStandingStill) {
  GapStatistics gaps;
  EXPECT_EQ(gaps.burstiness(), 0);
  for (int i = 0; i < 3; ++i) gaps.add(1);
  EXPECT_EQ(gaps.burstiness(), 0);
  gaps.add(1);
  EXPECT_EQ(gaps.burstiness(), -1);

  gaps.clear();
  for (int i = 0; i < 50; ++i) gaps.add(0);
  EXPECT_EQ(gaps.burstiness(), 0);
}

}  // namespace
}  // namespace liminal::stats
