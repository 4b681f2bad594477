#include "core/stats/ratio_window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

constexpr std::size_t kWhole = 6;

TEST(RatioWindow, WithoutTrialsIsZero) { EXPECT_EQ(RatioWindow<kWhole>{}.ratio({}), 0); }

RC_GTEST_PROP(RatioWindow, IsTheRatioOfItsCounts, (std::uint64_t seed)) {
  Random random(seed);
  RatioWindow<kWhole> window;
  BucketRing<std::uint32_t, kWhole> trials, hits;
  for (int bucket = 0; bucket < 12; ++bucket) {
    const double share = random.uniform();
    const auto count = random.below(random.chance(.3) ? 5'000 : 100);
    for (std::uint64_t i = 0; i < count; ++i) {
      const bool hit = random.chance(share);
      window.add(hit);
      trials.add(1);
      hits.add(hit);
    }
    const WindowPosition at{random.below(3), random.uniform()};
    const double exact = trials.sum(at) > 0 ? hits.sum(at) / trials.sum(at) : 0;
    RC_ASSERT(window.ratio(at) == exact);
    RC_ASSERT(window.ratio(at) >= 0 && window.ratio(at) <= 1);
    window.advance(1);
    trials.advance(1);
    hits.advance(1);
  }
}

TEST(RatioWindow, KeepsItsShareWhenABucketIsFull) {
  RatioWindow<kWhole> window;
  for (int i = 0; i < 200'000; ++i) window.add(i % 2 == 0 || i >= 65'535);
  EXPECT_NEAR(window.ratio({}), .5, 1e-4);
}

TEST(RatioWindow, SurvivesASnapshotAndRefusesMoreHitsThanTrials) {
  RatioWindow<1> window;
  window.add(true);
  window.add(false);
  Writer out;
  window.save(out);
  Reader in(out.bytes());
  RatioWindow<1> read;
  read.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(read.ratio({}), .5);

  Reader wrong(std::string_view("\1\0\0\0\2\0\0\0", 8));
  read.load(wrong);
  EXPECT_FALSE(wrong.ok());
}

}  // namespace
}  // namespace liminal::stats
