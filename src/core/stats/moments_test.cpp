#include "core/stats/moments.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

RC_GTEST_PROP(Moments, AreThoseOfTwoPassesAlsoWhenMerged, (std::uint64_t seed)) {
  Random random(seed);
  const double level = random.uniform(-1e6, 1e6);
  std::vector<double> all;
  Moments left, right;
  for (std::uint64_t i = 2 + random.below(300); i > 0; --i) {
    all.push_back(level + random.normal());
    (random.chance(.3) ? left : right).add(all.back());
  }
  double mean = 0, variance = 0;
  for (const double x : all) mean += x / static_cast<double>(all.size());
  for (const double x : all) variance += (x - mean) * (x - mean) / static_cast<double>(all.size());

  left.merge(right);

  RC_ASSERT(left.count() == all.size());
  RC_ASSERT(std::abs(left.mean() - mean) <= 1e-9 * (1 + std::abs(mean)));
  RC_ASSERT(std::abs(left.variance() - variance) <= 1e-8 * (1 + variance));
}

TEST(Moments, OfNothingAreZero) {
  Moments moments;
  moments.merge({});
  EXPECT_EQ(moments.count(), 0u);
  EXPECT_EQ(moments.mean(), 0);
  EXPECT_EQ(moments.variance(), 0);
}

TEST(Moments, SurviveASnapshotAndRefuseNonsense) {
  Moments moments;
  moments.add(1);
  moments.add(4);
  Writer out;
  moments.save(out);
  Reader in(out.bytes());
  Moments read;
  read.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(read.variance(), 2.25);

  Writer wrong;
  wrong.put(std::uint64_t{2});
  wrong.put(0.);
  wrong.put(-1.);
  Reader refused(wrong.bytes());
  read.load(refused);
  EXPECT_FALSE(refused.ok());
}

}  // namespace
}  // namespace liminal::stats
