#include "server/api/recent_rate.hpp"

#include <gtest/gtest.h>

namespace liminal::api {
namespace {

using namespace std::chrono_literals;

TEST(RecentRate, IsThatOfTheLastSecondsHoweverLongItWasQuietBefore) {
  RecentRate rate;
  RecentRate::Time now{};
  EXPECT_EQ(rate.per_second(now, 7), 0);
  for (int second = 0; second < 86'400; ++second) rate.observe(now += 1s, 1'000);
  EXPECT_EQ(rate.per_second(now, 1'000), 0);
  EXPECT_EQ(rate.per_second(now, 2'000), 200) << "a flood since the last second";
  for (int second = 0; second < 6; ++second) rate.observe(now += 1s, 2'000);
  EXPECT_EQ(rate.per_second(now, 2'000), 0) << "it is over";
}

TEST(RecentRate, IsNoneOfAnInstantOrOfATotalThatShrank) {
  RecentRate rate;
  const RecentRate::Time begin{};
  rate.observe(begin, 100);
  EXPECT_EQ(rate.per_second(begin, 200), 0);
  EXPECT_EQ(rate.per_second(begin + 100ms, 200), 0);
  EXPECT_EQ(rate.per_second(begin + 2s, 200), 50);
  EXPECT_EQ(rate.per_second(begin + 2s, 50), 0);
}

}  // namespace
}  // namespace liminal::api
