#include "core/stats/hour_profile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

TEST(HourProfile, KnowsNothingForTwoDays) {
  HourProfile profile;
  profile.add(9);
  profile.pass_days(1);
  profile.add(9);
  EXPECT_EQ(profile.unusual(3), 0);
}

TEST(HourProfile, FindsTheNightUnusualForWhoComesByDay) {
  HourProfile profile;
  for (int day = 0; day < 14; ++day) {
    for (unsigned hour = 9; hour < 18; ++hour) profile.add(hour);
    profile.pass_days(1);
  }
  EXPECT_EQ(profile.unusual(12), 0);
  EXPECT_EQ(profile.unusual(8), 0) << "next to a usual hour";
  EXPECT_EQ(profile.unusual(3), 1);
}

TEST(HourProfile, GetsUsedToANewHour) {
  HourProfile profile;
  for (int day = 0; day < 30; ++day, profile.pass_days(1)) profile.add(10);
  double before = profile.unusual(22);
  EXPECT_EQ(before, 1);
  for (int day = 0; day < 12; ++day, profile.pass_days(1)) {
    profile.add(22);
    EXPECT_LE(profile.unusual(22), before);
    before = profile.unusual(22);
  }
  EXPECT_EQ(before, 0);
}

TEST(HourProfile, ForgetsInTheEnd) {
  HourProfile profile, slowly;
  for (int i = 0; i < 100; ++i) profile.add(5);
  slowly = profile;
  profile.pass_days(63);
  for (int i = 0; i < 63; ++i) slowly.pass_days(1);
  EXPECT_EQ(profile.days(5), 0);
  EXPECT_EQ(slowly.days(5), 0);
  EXPECT_EQ(profile.unusual(5), 0);
}

RC_GTEST_PROP(HourProfile, IsWithinOneDayOfTheExactDecay, (std::uint64_t seed)) {
  Random random(seed);
  HourProfile profile;
  std::array<double, HourProfile::kHours> exact{};
  const double regularity = random.uniform();
  for (int day = 0; day < 60; ++day) {
    for (unsigned hour = 0; hour < HourProfile::kHours; ++hour) {
      if (random.chance(regularity * (hour % 7) / 6)) {
        profile.add(hour);
        exact[hour] += 1;
      }
      RC_ASSERT(profile.days(hour) <= exact[hour]);
      RC_ASSERT(profile.days(hour) >= exact[hour] - 1);
    }
    const std::uint64_t pause = 1 + random.below(random.chance(.1) ? 80 : 2);
    profile.pass_days(pause);
    for (double& count : exact) {
      for (std::uint64_t i = 0; i < pause; ++i) count *= 15. / 16;
    }
  }
}

}  // namespace
}  // namespace liminal::stats
