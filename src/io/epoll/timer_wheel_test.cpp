#include "io/epoll/timer_wheel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <vector>

namespace liminal::epoll {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LoopTime kStart = hours{5} + milliseconds{3};

struct Alarm : Timer {
  explicit Alarm(const LoopTime& clock) : now(clock) {}
  void on_timer() override { fired.push_back(now); }
  const LoopTime& now;
  std::vector<LoopTime> fired;
};

RC_GTEST_PROP(TimerWheel, FiresNeverEarlyAndAtMostATickLate, ()) {
  LoopTime now = kStart + milliseconds{*rc::gen::inRange(0, 100'000)};
  TimerWheel wheel(now);
  std::vector<std::unique_ptr<Alarm>> alarms;
  std::vector<LoopTime> due;
  for (const int delay_ms : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 900'000))) {
    const auto step = milliseconds{*rc::gen::inRange(0, 3'000)};
    now += step;
    wheel.advance(now);
    alarms.push_back(std::make_unique<Alarm>(now));
    wheel.arm(*alarms.back(), milliseconds{delay_ms});
    due.push_back(now + milliseconds{delay_ms});
  }
  while (const std::optional<Duration> wait = wheel.until_next(now)) {
    now += *wait;
    wheel.advance(now);
  }
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    RC_ASSERT(alarms[i]->fired.size() == 1u);
    RC_ASSERT(alarms[i]->fired[0] >= due[i]);
    // While the test itself stepped by up to 3 s, nobody advanced the wheel.
    RC_ASSERT(alarms[i]->fired[0] <= due[i] + 2 * TimerWheel::kTick + seconds{3});
  }
}

TEST(TimerWheel, SleepsUntilExactlyWhatIsDue) {
  LoopTime now = kStart;
  TimerWheel wheel(now);
  EXPECT_FALSE(wheel.until_next(now).has_value());
  Alarm alarm(now);
  wheel.arm(alarm, hours{2});
  int turns = 0;
  while (const std::optional<Duration> wait = wheel.until_next(now)) {
    now += *wait;
    wheel.advance(now);
    ASSERT_LT(++turns, 40);
  }
  ASSERT_EQ(alarm.fired.size(), 1u);
  EXPECT_GE(alarm.fired[0], kStart + hours{2});
  EXPECT_LE(alarm.fired[0], kStart + hours{2} + 2 * TimerWheel::kTick);
}

TEST(TimerWheel, ACancelledOrDestroyedTimerIsSilent) {
  LoopTime now = kStart;
  TimerWheel wheel(now);
  Alarm cancelled(now);
  auto destroyed = std::make_unique<Alarm>(now);
  wheel.arm(cancelled, seconds{1});
  wheel.arm(*destroyed, seconds{1});
  cancelled.cancel();
  destroyed.reset();
  wheel.advance(now += seconds{5});
  EXPECT_TRUE(cancelled.fired.empty());
  EXPECT_FALSE(wheel.until_next(now).has_value());
}

TEST(TimerWheel, ATimerMayArmItselfAgainWhileItFires) {
  struct Again : Timer {
    Again(TimerWheel& w, int& c) : wheel(w), count(c) {}
    void on_timer() override {
      ++count;
      wheel.arm(*this, Duration::zero());
    }
    TimerWheel& wheel;
    int& count;
  };
  LoopTime now = kStart;
  TimerWheel wheel(now);
  int count = 0;
  Again again(wheel, count);
  wheel.arm(again, Duration::zero());
  wheel.advance(now += seconds{1});
  EXPECT_GT(count, 20);
  EXPECT_LE(count, 1000 / 16);
}

TEST(TimerWheel, TimeThatGoesBackFiresNothing) {
  LoopTime now = kStart;
  TimerWheel wheel(now);
  Alarm alarm(now);
  wheel.arm(alarm, milliseconds{100});
  wheel.advance(now - hours{1});
  EXPECT_TRUE(alarm.fired.empty());
}

}  // namespace
}  // namespace liminal::epoll
