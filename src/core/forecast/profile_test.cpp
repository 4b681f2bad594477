#include "core/forecast/profile.hpp"

#include <gtest/gtest.h>

namespace liminal::forecast {
namespace {

TEST(Profile, KnowsTheDayByAbsolutePlace) {
  std::vector<double> z;
  for (int t = 5; t < 245; ++t) z.push_back(10 + t % 24);
  Profile profile;
  profile.fit(z, std::vector<double>(z.size(), 1), 5, 24, 0);
  for (std::uint64_t t = 1000; t < 1024; ++t)
    EXPECT_NEAR(profile.at(t), 10 + static_cast<double>(t % 24), 1e-9);
}

TEST(Profile, BelievesTheWeekMoreTheMoreWeeksItSaw) {
  const auto off_day = [](std::size_t weeks) {
    std::vector<double> z;
    for (std::size_t t = 0; t < weeks * 168; ++t) z.push_back(t % 168 < 24 ? 0 : 7);
    Profile profile;
    profile.fit(z, std::vector<double>(z.size(), 1), 0, 24, 168);
    return profile.at(3);
  };
  EXPECT_NEAR(off_day(1), 3, 1e-9);  // half way from the mean, 6
  EXPECT_NEAR(off_day(5), 1, 1e-9);  // five sixths
}

TEST(Profile, IgnoresPointsWithoutWeight) {
  std::vector<double> z(48, 1), weights(48, 1);
  z[7] = 1e9;
  weights[7] = 0;
  Profile profile;
  profile.fit(z, weights, 0, 24, 0);
  EXPECT_EQ(profile.at(7), 1);
  Profile nothing;
  nothing.fit(z, std::vector<double>(48, 0), 0, 24, 0);
  EXPECT_EQ(nothing.at(7), 0);
}

}  // namespace
}  // namespace liminal::forecast
