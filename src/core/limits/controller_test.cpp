#include "core/limits/controller.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::limits {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr double kTenPerSecond = 10;
const ControllerOptions kOptions;
const ControllerOptions kScoreAlone{.personal = false};
const SteadyTime kStart{hours{24 * 365 * 50}};

/// One message a step for a while, all with one score; returns the time afterwards.
SteadyTime run(Controller& controller,
               SteadyTime now,
               Duration step,
               Duration length,
               float score,
               const ControllerOptions& options = kOptions) {
  for (const SteadyTime end = now + length; now < end; now += step) {
    controller.count(now);
    (void)controller.adapt(options, kTenPerSecond, score, now);
  }
  return now;
}

/// Messages at `per_minute` in the first three hours of each day.
SteadyTime live(Controller& controller, SteadyTime now, int days, int per_minute) {
  for (int day = 0; day < days; ++day) {
    run(controller, now, Duration{minutes{1}} / per_minute, hours{3}, 0);
    now += hours{24};
  }
  return now;
}

TEST(Controller, LeavesACalmNewUserAlone) {
  Controller controller;
  run(controller, kStart, milliseconds{500}, minutes{30}, .69F);
  EXPECT_EQ(controller.ratio(kOptions), 1);
}

TEST(Controller, BringsAnAbuserToTheFloorWithinAMinuteAndBackInTheEnd) {
  Controller controller;
  SteadyTime now = run(controller, kStart, milliseconds{100}, seconds{60}, 3, kScoreAlone);
  EXPECT_NEAR(controller.ratio(kOptions), kOptions.floor_ratio, .005);

  now = run(controller, now, seconds{1}, minutes{10}, 0, kScoreAlone);
  EXPECT_LT(controller.ratio(kOptions), .5);

  run(controller, now, seconds{1}, hours{3}, 0, kScoreAlone);
  EXPECT_EQ(controller.ratio(kOptions), 1);
}

TEST(Controller, SilenceCountsAsCalm) {
  Controller controller;
  const SteadyTime now = run(controller, kStart, milliseconds{100}, seconds{60}, 3);
  (void)controller.adapt(kOptions, kTenPerSecond, 0, now + hours{5});
  EXPECT_EQ(controller.ratio(kOptions), 1);
}

TEST(Controller, OneWordOfAlarmCountsForASecondOnly) {
  Controller controller;
  (void)controller.adapt(kOptions, kTenPerSecond, 100, kStart);
  EXPECT_EQ(controller.suspicion(), 0);
  (void)controller.adapt(kOptions, kTenPerSecond, 0, kStart + seconds{1});
  EXPECT_NEAR(controller.suspicion(), 1 - .9048374, 1e-6);
  (void)controller.adapt(kOptions, kTenPerSecond, 0, kStart + minutes{10} + seconds{1});
  EXPECT_NEAR(controller.suspicion(), (1 - .9048374) / 2.7182818, 1e-6);
}

TEST(Controller, NotANumberIsNoEvidence) {
  Controller controller;
  run(controller, kStart, milliseconds{100}, seconds{60}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(controller.ratio(kOptions), 1);
}

TEST(Controller, TimeThatStandsStillOrGoesBackChangesNothing) {
  Controller controller;
  run(controller, kStart, milliseconds{100}, seconds{10}, 3);
  const double before = controller.ratio(kOptions);
  for (int i = 0; i < 1000; ++i) (void)controller.adapt(kOptions, kTenPerSecond, 3, kStart);
  EXPECT_EQ(controller.ratio(kOptions), before);
}

TEST(Controller, GivesABusyUserMoreAndAQuietOneLessOverDays) {
  Controller busy;
  Controller quiet;
  const SteadyTime first_day = live(busy, kStart, 1, 900);
  EXPECT_LT(busy.ratio(kOptions), 2);
  live(busy, first_day, 9, 900);
  live(quiet, kStart, 10, 2);
  EXPECT_NEAR(busy.ratio(kOptions), kOptions.ceiling_ratio, .1);
  EXPECT_NEAR(quiet.ratio(kOptions), kOptions.personal_floor_ratio, .02);
}

TEST(Controller, NobodyRaisesALimitByWhatLooksLikeAbuse) {
  Controller controller;
  SteadyTime now = live(controller, kStart, 3, 60);
  const double before = controller.personal_ratio();
  for (int day = 0; day < 3; ++day, now += hours{24})
    run(controller, now, milliseconds{20}, hours{1}, 1.5F);
  EXPECT_LE(controller.personal_ratio(), before);
}

TEST(Controller, HabitsAreForgottenWithinMonths) {
  Controller controller;
  const SteadyTime now = live(controller, kStart, 10, 900);
  (void)controller.adapt(kOptions, kTenPerSecond, 0, now + hours{24 * 60});
  (void)controller.adapt(kOptions, kTenPerSecond, 0, now + hours{24 * 90});
  EXPECT_EQ(controller.messages_per_minute_quantile(kOptions), 0);
  EXPECT_EQ(controller.ratio(kOptions), 1);
}

/// The quantile against its definition: at least the quantile of the counts, below twice it.
RC_GTEST_PROP(Controller, QuantileOfActiveMinutesIsAnUpperEdgeWithinTwice, ()) {
  const auto counts = *rc::gen::container<std::vector<int>>(100, rc::gen::inRange(1, 300));
  Controller controller;
  SteadyTime now = SteadyTime{hours{24 * 7 * 2000}};
  for (const int count : counts) {
    for (int i = 0; i < count; ++i) controller.count(now);
    now += minutes{1};
  }
  controller.count(now);
  std::vector<int> sorted = counts;
  std::sort(sorted.begin(), sorted.end());
  const int exact = sorted[97];  // the least value that .98 of a hundred do not exceed
  const double found = controller.messages_per_minute_quantile(kOptions);
  RC_ASSERT(found >= exact);
  RC_ASSERT(found < 2 * exact);
}

struct Moment {
  Duration pause;
  float score, more;
};

std::vector<Moment> moments() {
  return *rc::gen::container<std::vector<Moment>>(rc::gen::exec([] {
    const std::int64_t scale = *rc::gen::element<std::int64_t>(1, 1'000, 60'000, 86'400'000);
    return Moment{milliseconds{*rc::gen::inRange<std::int64_t>(0, 2'000) * scale},
                  static_cast<float>(*rc::gen::inRange(0, 400)) / 100,
                  static_cast<float>(*rc::gen::inRange(0, 100)) / 100};
  }));
}

RC_GTEST_PROP(Controller, StaysBetweenFloorAndCeiling, ()) {
  Controller controller;
  SteadyTime now = kStart;
  for (const Moment& moment : moments()) {
    now += moment.pause;
    for (int i = *rc::gen::inRange(1, 500); i > 0; --i) controller.count(now);
    (void)controller.adapt(kOptions, .1, moment.score, now);
    RC_ASSERT(controller.ratio(kOptions) >= kOptions.floor_ratio);
    RC_ASSERT(controller.ratio(kOptions) <= kOptions.ceiling_ratio);
  }
}

RC_GTEST_PROP(Controller, AHigherScoreNeverGivesAHigherRateThenOrLater, ()) {
  Controller calmer;
  Controller wilder;
  SteadyTime now = kStart;
  for (const Moment& moment : moments()) {
    now += moment.pause;
    for (int i = *rc::gen::inRange(1, 500); i > 0; --i) {
      calmer.count(now);
      wilder.count(now);
    }
    (void)calmer.adapt(kOptions, .1, moment.score, now);
    (void)wilder.adapt(kOptions, .1, moment.score + moment.more, now);
    RC_ASSERT(wilder.ratio(kOptions) <= calmer.ratio(kOptions) + 1e-12);
  }
}

/// The same over years, where the histogram was halved many times.
TEST(Controller, AHigherScoreNeverGivesAHigherRateOverYears) {
  Random random(7);
  Controller calmer;
  Controller wilder;
  SteadyTime now = kStart;
  for (int i = 0; i < 200'000; ++i) {
    now += from_seconds(60 * random.exponential());
    const bool alarm = random.chance(.1);
    for (std::uint64_t k = 1 + random.below(1U << random.below(8)); k > 0; --k) {
      calmer.count(now);
      wilder.count(now);
    }
    (void)calmer.adapt(kOptions, 1, 0, now);
    (void)wilder.adapt(kOptions, 1, alarm ? 1.5F : 0, now);
    ASSERT_LE(wilder.ratio(kOptions), calmer.ratio(kOptions) + 1e-12) << i;
  }
}

RC_GTEST_PROP(Controller, GoesOnAfterALoadAsBefore, ()) {
  Controller controller;
  SteadyTime now = kStart;
  for (const Moment& moment : moments()) {
    now += moment.pause;
    controller.count(now);
    (void)controller.adapt(kOptions, .1, moment.score, now);
  }
  Writer out;
  controller.save(out);
  Reader in(out.bytes());
  const Controller loaded = Controller::load(in);
  RC_ASSERT(in.at_end());
  RC_ASSERT(loaded == controller);
}

TEST(Controller, RefusesToLoadNonsense) {
  Writer out;
  Controller().save(out);
  std::string bytes = out.take();
  bytes.replace(8, 4, 4, '\xff');  // suspicion: NaN
  Reader in(bytes);
  (void)Controller::load(in);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace liminal::limits
