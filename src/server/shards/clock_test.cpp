#include "server/shards/clock.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "server/shards/testing.hpp"

namespace liminal::shards {
namespace {

using namespace testing;

TEST(EngineClock, GoesOnOverARestartAndNeverBack) {
  HandClock machine;
  const EngineClock first(1, std::nullopt, machine.source());
  EXPECT_EQ(first.now(), SteadyTime{kDate});
  machine.move_steady(seconds{10});
  machine.move_date(-seconds{1000});  // somebody sets the date
  EXPECT_EQ(first.now(), SteadyTime{kDate + seconds{10}});
  EXPECT_EQ(first.ahead(), seconds{1010});
  const ClockState kept = first.state();

  machine.pass(seconds{300});
  const EngineClock second(1, kept, machine.source());
  EXPECT_EQ(second.now(), kept.engine) << "it waits for the date";
  EXPECT_EQ(second.ahead(), seconds{710});
  machine.pass(seconds{1000});
  EXPECT_EQ(EngineClock(1, kept, machine.source()).now(), SteadyTime{machine.date()});
  EXPECT_EQ(EngineClock(60, kept, machine.source()).now(), kept.engine + seconds{1300})
      << "one that is not the date's goes on by what has passed";
}

TEST(EngineClock, FollowsTheDateForwardAndNeverBack) {
  HandClock machine;
  EngineClock clock(1, std::nullopt, machine.source());
  machine.pass(seconds{10});
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.move_date(milliseconds{900});
  EXPECT_EQ(clock.follow(), Duration::zero()) << "that is jitter";
  machine.move_date(std::chrono::hours{1});  // it slept: its steady clock stood still
  EXPECT_EQ(clock.follow(), std::chrono::hours{1} + milliseconds{900});
  EXPECT_EQ(clock.now(), SteadyTime{machine.date()});
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.move_date(std::chrono::hours{24 * 30});  // wrong,
  for (unsigned look = 1; look < EngineClock::kLooks; ++look)
    ASSERT_EQ(clock.follow(), Duration::zero()) << "it may be right in a moment";
  EXPECT_EQ(clock.follow(), std::chrono::hours{24 * 30});
  machine.move_date(-std::chrono::hours{24 * 30});  // and right again
  const SteadyTime before = clock.now();
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.pass(seconds{1});
  EXPECT_EQ(clock.now(), before + seconds{1});
  EXPECT_EQ(clock.ahead(), std::chrono::hours{24 * 30});
  EXPECT_EQ(clock.followed(), clock.now() - SteadyTime{kDate + seconds{11}});
}

TEST(EngineClock, IsNotMovedByADateThatIsFarAheadForAMoment) {
  HandClock machine;
  EngineClock clock(1, std::nullopt, machine.source());
  for (int again = 0; again < 3; ++again) {
    machine.move_date(std::chrono::hours{24 * 365});
    for (unsigned look = 1; look < EngineClock::kLooks; ++look)
      ASSERT_EQ(clock.follow(), Duration::zero());
    machine.move_date(-std::chrono::hours{24 * 365});
    EXPECT_EQ(clock.follow(), Duration::zero());
  }
  EXPECT_EQ(clock.now(), SteadyTime{kDate});
  machine.move_date(EngineClock::kFollowedAtOnce);
  EXPECT_EQ(clock.follow(), EngineClock::kFollowedAtOnce) << "at once";
}

TEST(EngineClock, LeavesTheDateAtAnotherScale) {
  HandClock machine;
  EngineClock clock(2, std::nullopt, machine.source());
  machine.move_date(std::chrono::hours{1});
  EXPECT_EQ(clock.follow(), Duration::zero());
  EXPECT_EQ(clock.ahead(), Duration::zero());
  EXPECT_EQ(clock.now(), SteadyTime{kDate});
}

TEST(EngineClock, LivesAsFastAsItsScale) {
  HandClock machine;
  const EngineClock clock(60, std::nullopt, machine.source());
  machine.move_steady(seconds{2});
  EXPECT_EQ(clock.now(), SteadyTime{kDate + std::chrono::minutes{2}});
}

}  // namespace
}  // namespace liminal::shards
