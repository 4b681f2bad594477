#include "core/scaling/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "core/scaling/backtest.hpp"
#include "core/scaling/testing.hpp"

namespace liminal::scaling {
namespace {

using Kind = Reason::Kind;

EventTime minute(std::int64_t number) {
  return EventTime{std::chrono::minutes{20'000'000 + number}};
}

/// Three instances with .01 CPU a request each.
Observation observation(std::int64_t number, Random& random, double replicas = 3) {
  const double load = made_up_load(number, random);
  return {load, .01 * load / replicas, .4, .1, replicas};
}

Service lived(std::int64_t minutes, double replicas = 3) {
  Service service;
  Random random(1);
  for (std::int64_t t = 0; t < minutes; ++t)
    service.observe(minute(t), observation(t, random, replicas), {});
  return service;
}

bool says(const Advice& advice, Kind kind) {
  return std::any_of(advice.reasons.begin(), advice.reasons.end(), [kind](const Reason& reason) {
    return reason.kind == kind;
  });
}

TEST(Service, MonitorsWhileItKnowsTooLittleAndClaimsNothing) {
  Service service;
  service.observe(minute(0), {100, .7, .6, .2, std::nullopt}, {});
  const Advice advice = service.advise(minute(0), {});
  EXPECT_EQ(advice.action, Action::kMonitor);
  EXPECT_FALSE(advice.replicas || advice.confidence || advice.peak || advice.bottleneck ||
               advice.reactive_replicas);
  EXPECT_TRUE(says(advice, Kind::kHistoryShort));
  EXPECT_TRUE(says(advice, Kind::kReplicasUnknown));
}

TEST(Service, AReactiveAutoscalersAnswerNeedsNoHistory) {
  Service service;
  service.observe(minute(0), {100, .95, .6, .2, 3}, {});
  EXPECT_EQ(service.advise(minute(0), {}).reactive_replicas, 5u);
}

TEST(Service, AdvisesUpWhenTooFewRunAndDownWhenTooMany) {
  // In the morning 140 requests a minute come: .01 CPU each, 85 % usable.
  const std::int64_t morning = 3 * 1440 + 540;
  const Advice few = lived(morning, 1).advise(minute(morning), {});
  EXPECT_EQ(few.action, Action::kScaleUp);
  EXPECT_GE(*few.replicas, 2u);
  EXPECT_LE(*few.replicas, 3u);
  EXPECT_EQ(few.bottleneck->resource, Resource::kCpu);
  EXPECT_GT(*few.confidence, .8);
  EXPECT_LT(few.peak->p10, few.peak->p99);
  const Advice many = lived(morning, 9).advise(minute(morning), {});
  EXPECT_EQ(many.action, Action::kScaleDown);
  EXPECT_EQ(many.replicas, few.replicas);
}

TEST(Service, WaitsWithFewerAfterThereWereMore) {
  Service service = lived(2000, 3);
  Random random(5);
  service.observe(minute(2000), observation(2000, random, 9), {});
  const Advice soon = service.advise(minute(2002), {});
  EXPECT_EQ(soon.action, Action::kMaintain);
  EXPECT_EQ(soon.replicas, 9u);
  EXPECT_TRUE(says(soon, Kind::kCooldown));
  EXPECT_EQ(service.advise(minute(2006), {}).action, Action::kScaleDown);
}

TEST(Service, TheMaximumHoldsDuringTheCooldown) {
  Service service = lived(2000, 3);
  Random random(5);
  service.observe(minute(2000), observation(2000, random, 9), {});
  const Advice advice = service.advise(minute(2002), {.replicas_max = 5});
  EXPECT_EQ(advice.action, Action::kScaleDown);
  EXPECT_EQ(advice.replicas, 5u);
  EXPECT_TRUE(says(advice, Kind::kCooldown));
  EXPECT_TRUE(says(advice, Kind::kAboveMaximum));
}

TEST(Service, TheUnitOfTheLoadChangesNothing) {
  // Loads of a fifth to two fifths of an instance's 1.4.
  const auto told = [](double factor) {
    Service service;
    Random random(1);
    for (std::int64_t t = 0; t < 3000; ++t) {
      const double load = made_up_load(t, random) / 300;
      service.observe(minute(t), {load * factor, .6 * load, {}, {}, 1}, {});
    }
    return service.advise(minute(3000), {});
  };
  const Advice one = told(1);
  EXPECT_EQ(one.replicas, 1u);
  for (const double factor : {1. / 60'000, 1. / 60, 60., 3600.}) {
    const Advice other = told(factor);
    EXPECT_EQ(other.replicas, one.replicas) << factor;
    EXPECT_NEAR(other.peak->p10 / factor, one.peak->p10, 1e-3);
    EXPECT_NEAR(other.peak->p50 / factor, one.peak->p50, 1e-3);
    EXPECT_NEAR(other.peak->p99 / factor, one.peak->p99, 1e-3);
  }
}

TEST(Service, AnIdleServiceNeedsNothing) {
  Service service;
  for (std::int64_t t = 0; t < 2000; ++t) service.observe(minute(t), {0, .01, {}, {}, 1}, {});
  const Advice advice = service.advise(minute(2000), {.replicas_min = 0});
  EXPECT_EQ(advice.peak->p10, 0);
  EXPECT_EQ(advice.peak->p99, 0);
  EXPECT_EQ(advice.action, Action::kMonitor);
  EXPECT_TRUE(says(advice, Kind::kCapacityIdle));
}

TEST(Service, AServiceThatHasBecomeIdleIsTakenToZero) {
  const ServiceOptions options{.replicas_min = 0};
  Service service = lived(2000);
  for (std::int64_t t = 2000; t < 2000 + 1440; ++t)
    service.observe(minute(t), {0, .001, .4, {}, 3}, options);
  EXPECT_EQ(service.advise(minute(3440), options).replicas, 0u);
}

TEST(Service, ALoadOfPartsOfAnInstanceNeedsOne) {
  // Two instances at three tenths of their CPU.
  Service service;
  Random random(1);
  for (std::int64_t t = 0; t < 3000; ++t)
    service.observe(minute(t), {{}, .3 + .01 * random.normal(), {}, {}, 2}, {});
  const Advice advice = service.advise(minute(3000), {});
  EXPECT_EQ(advice.replicas, 1u);
  EXPECT_EQ(advice.action, Action::kScaleDown);
}

TEST(Service, RequestsThatBeginToBeToldAreTheLoadFromThenOn) {
  Service service;
  Random random(1);
  for (std::int64_t t = 0; t < 3000; ++t) {
    Observation seen = observation(t, random);
    if (t < 10) seen.request_rate.reset();
    service.observe(minute(t), seen, {});
  }
  EXPECT_GT(*service.present_load(), 10);
  EXPECT_TRUE(service.capacity().limit(Resource::kCpu, {}));
  EXPECT_GT(service.model().history().known_minutes(), 2970u);
}

TEST(Service, ADayWithoutRequestsTakesTheCpuForTheLoadAndLessDoesNot) {
  Service service;
  Random random(1);
  service.observe(minute(0), observation(0, random), {});
  const auto cpu_only = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) service.observe(minute(t), {{}, .5, {}, {}, 4}, {});
  };
  cpu_only(1, 1000);
  const Advice stale = service.advise(minute(1000), {});
  EXPECT_EQ(stale.action, Action::kMonitor);
  EXPECT_TRUE(says(stale, Kind::kLoadStale));
  cpu_only(1000, 1600);
  EXPECT_NEAR(*service.present_load(), 2, 1e-9);
  EXPECT_NE(service.advise(minute(1600), {}).action, Action::kMonitor);
}

TEST(Service, OneRateAmongCpuDoesNotBeginAnew) {
  Service service;
  for (std::int64_t t = 0; t < 500; ++t)
    service.observe(minute(t), {t == 300 ? std::optional(7.) : std::nullopt, .5, {}, {}, 4}, {});
  EXPECT_EQ(service.model().history().minutes(), 499u);
}

TEST(Service, SaysThatReportsAreTooFarApart) {
  Service service;
  for (std::int64_t t = 0; t < 12'000; t += 16)
    service.observe(minute(t), {100, .5, .5, .1, 2}, {});
  const Advice advice = service.advise(minute(11'990), {});
  EXPECT_EQ(advice.action, Action::kMonitor);
  EXPECT_TRUE(says(advice, Kind::kHistorySparse));
  EXPECT_FALSE(says(advice, Kind::kHistoryShort));
}

TEST(Service, SaysThatWhatWasToldDoesNotDependOnTheLoad) {
  Service service;
  Random random(1);
  for (std::int64_t t = 0; t < 500; ++t)
    service.observe(minute(t), {made_up_load(t, random), {}, {}, .2, 2}, {});
  const Advice advice = service.advise(minute(500), {});
  EXPECT_EQ(advice.action, Action::kMonitor);
  EXPECT_TRUE(says(advice, Kind::kCapacityFlat));
  EXPECT_FALSE(says(advice, Kind::kCapacityUnknown));
}

TEST(Service, KeepsToItsBoundsAndSaysSo) {
  const Service service = lived(3 * 1440 + 540);
  const EventTime now = minute(3 * 1440 + 540);
  ServiceOptions low{.replicas_min = 6};
  EXPECT_EQ(service.advise(now, low).replicas, 6u);
  EXPECT_TRUE(says(service.advise(now, low), Kind::kAtMinimum));
  ServiceOptions high{.replicas_max = 1};
  EXPECT_EQ(service.advise(now, high).replicas, 1u);
  EXPECT_TRUE(says(service.advise(now, high), Kind::kAtMaximum));
}

TEST(Service, ADearerShortageNeverMeansFewerInstances) {
  const Service service = lived(5000, 30);
  std::uint32_t last = 0;
  for (const double cost : {.5, 9., 99., 999., 99'999.}) {
    const Advice advice = service.advise(minute(5000), {.shortage_cost = cost, .cooldown = {}});
    EXPECT_GE(*advice.replicas, last);
    last = *advice.replicas;
  }
}

TEST(Service, WithoutRequestsTheLoadIsTheCpuOfAllInstances) {
  Service service;
  Random random(1);
  for (std::int64_t t = 0; t < 200; ++t)
    service.observe(
        minute(t), {std::nullopt, .6 + .01 * random.normal(), std::nullopt, std::nullopt, 4}, {});
  EXPECT_NEAR(*service.present_load(), 2.4, .2);
  const Advice advice = service.advise(minute(200), {});
  EXPECT_NE(advice.action, Action::kMonitor);
  EXPECT_EQ(advice.bottleneck->resource, Resource::kCpu);
}

TEST(Service, InterpolatesReportsEveryFiveMinutesAndNotEveryHalfHour) {
  Service five, thirty;
  for (std::int64_t t = 0; t < 3000; t += 5) five.observe(minute(t), {100, .5, .5, .1, 2}, {});
  for (std::int64_t t = 0; t < 3000; t += 30) thirty.observe(minute(t), {100, .5, .5, .1, 2}, {});
  EXPECT_EQ(five.model().history().known_minutes(), five.model().history().minutes());
  EXPECT_EQ(thirty.model().history().known_minutes(), 99u);
  EXPECT_EQ(thirty.advise(minute(3000), {}).action, Action::kMonitor);
}

TEST(Service, AnEarlierMinuteTeachesNothing) {
  Service service = lived(100);
  const std::uint64_t before = service.state_hash();
  EXPECT_FALSE(service.observe(minute(50), {1, 1, 1, 1, 1}, {}));
  EXPECT_EQ(service.state_hash(), before);
}

TEST(Service, AdviceChangesNothing) {
  const Service service = lived(1000);
  const std::uint64_t before = service.state_hash();
  static_cast<void>(service.advise(minute(1000), {}));
  EXPECT_EQ(service.state_hash(), before);
}

TEST(Service, WhatWasReportedLongAgoIsNoAdviceForNow) {
  const Service service = lived(3000);
  EXPECT_TRUE(service.advise(minute(2999 + 15), {}).replicas);
  const Advice late = service.advise(minute(2999 + 16), {});
  EXPECT_EQ(late.action, Action::kMonitor);
  EXPECT_FALSE(late.replicas);
  ASSERT_FALSE(late.reasons.empty());
  EXPECT_EQ(late.reasons[0].kind, Reason::Kind::kLoadStale);
  EXPECT_EQ(late.reasons[0].a, 16);
}

TEST(Service, AnotherHorizonIsLearntFromTheSameHistory) {
  Service service = lived(3000);
  const double near = service.advise(minute(3000), {}).peak->p90;
  service.change_horizon(60);
  const Advice far = service.advise(minute(3000), {});
  EXPECT_EQ(far.horizon_minutes, 60u);
  EXPECT_GT(far.peak->p90, near) << "in the morning an hour brings more than ten minutes";
}

RC_GTEST_PROP(Service, SavedAndLoadedItHasTheSameFuture, ()) {
  const auto minutes = *rc::gen::inRange<std::int64_t>(1, 1500);
  Service service = lived(minutes);
  Writer saved;
  service.save(saved);
  Service loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  Random a(4), b(4);
  for (std::int64_t t = minutes; t < minutes + 90; ++t) {
    service.observe(minute(t), observation(t, a), {});
    loaded.observe(minute(t), observation(t, b), {});
  }
  RC_ASSERT(service.state_hash() == loaded.state_hash());
}

TEST(Service, AnOverloadNeverAdvisesFewerThanTheLoadNeeds) {
  // Two instances that take 85 each; a crowd of twenty times comes.
  Service service;
  Random random(9);
  const auto told = [&](std::int64_t t, double load) {
    service.observe(
        minute(t), {load, std::min(1., load / 200), {}, {}, 2}, {.cooldown = Duration{0}});
  };
  std::int64_t t = 0;
  for (; t < 3 * 1440; ++t) told(t, made_up_load(t, random));
  std::uint32_t last = 0;
  for (const std::int64_t minutes : {1, 2, 7, 20}) {
    for (const std::int64_t end = t + minutes; t < end; ++t) told(t, 2000);
    const Advice advice = service.advise(minute(t - 1), {});
    EXPECT_GE(advice.replicas, 24u) << t;
    EXPECT_GE(advice.replicas, last) << t;
    last = *advice.replicas;
  }
  for (const std::int64_t end = t + 1440; t < end; ++t) told(t, made_up_load(t, random));
  EXPECT_NEAR(service.bottleneck({})->limit.load, 85, 2) << "a day later";
}

TEST(Service, AfterADearerReleaseItAdvisesMoreAndSaysWhy) {
  Service service;
  Random random(4);
  std::int64_t t = 0;
  const auto live = [&](std::int64_t minutes, double dearer) {
    for (const std::int64_t end = t + minutes; t < end; ++t) {
      const double load = made_up_load(t, random);
      const double use = dearer * load / 400 + .01 * random.normal();
      service.observe(minute(t), {load, std::clamp(use, 0., 1.), {}, {}, 4}, {});
    }
  };
  live(3 * 1440 + 600, 1);
  const Advice before = service.advise(minute(t - 1), {});
  live(40, 1.6);
  const Advice after = service.advise(minute(t - 1), {});
  ASSERT_TRUE(before.replicas && after.replicas);
  EXPECT_NEAR(after.bottleneck->limit.load * 1.6 / before.bottleneck->limit.load, 1, .05);
  EXPECT_GE(*after.replicas, *before.replicas);
  const auto says = [](const Advice& advice) {
    return std::any_of(advice.reasons.begin(), advice.reasons.end(), [](const Reason& reason) {
      return reason.kind == Reason::Kind::kDearer;
    });
  };
  EXPECT_FALSE(says(before));
  EXPECT_TRUE(says(after));
}

TEST(Service, ReadsWhatEarlierVersionsSaved) {
  for (const char* name : {"service_version_2.bin", "service_version_3.bin"}) {
    std::ifstream file(std::string(LIMINAL_SOURCE "/src/core/scaling/") + name, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    Reader in(bytes);
    Service service;
    ASSERT_TRUE(service.load(in) && in.at_end()) << name;
    EXPECT_GT(service.model().history().minutes(), 700u);
    EXPECT_TRUE(service.capacity().limit(Resource::kCpu, {}));
    Writer out;
    service.save(out);
    Reader anew(out.bytes());
    Service again;
    ASSERT_TRUE(again.load(anew) && anew.at_end());
    EXPECT_EQ(again.state_hash(), service.state_hash());
  }
}

TEST(ServiceOptions, EveryMistakeIsNamed) {
  EXPECT_TRUE(validate(ServiceOptions{}).empty());
  ServiceOptions wrong{.replicas_min = 9,
                       .replicas_max = 3,
                       .shortage_cost = NAN,
                       .cooldown = Duration{-1},
                       .stabilisation_minutes = 0,
                       .reactive_target_ratio = 0,
                       .capacity = {.cpu_max_ratio = 1}};
  EXPECT_EQ(validate(wrong).size(), 6u);
}

TEST(Backtest, ThePlanMissesLessThanReactiveScalingAtEqualInstances) {
  const Service service = lived(6 * 1440, 3);
  const auto found = backtest(service, {.shortage_cost = 99});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->minutes, 6u * 1440 - 1);
  Curve plan;
  for (const auto& point : found->planned) plan.push_back(point.result);
  for (const auto& point : found->reactive) {
    if (point.result.under_share_ratio <= 0) continue;
    EXPECT_LE(under_share_at(plan, point.result.mean_instances),
              point.result.under_share_ratio * 1.2);
  }
}

TEST(Backtest, ShowsWhatTheServicesOwnStabilisationCosts) {
  const auto found = backtest(lived(3000, 3), {.stabilisation_minutes = 60});
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(found->chosen.result.mean_instances, found->chosen_unstabilised.result.mean_instances);
  EXPECT_LT(found->chosen.result.moves_per_day, found->chosen_unstabilised.result.moves_per_day);
}

TEST(Backtest, SaysWhatItLacks) {
  EXPECT_EQ(backtest(Service{}, {}).error().code, ErrorCode::kMissing);
  const auto early = backtest(lived(300), {});
  EXPECT_EQ(early.error(), (Error{ErrorCode::kConflict, 720}));
}

}  // namespace
}  // namespace liminal::scaling
