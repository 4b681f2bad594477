#include "core/scaling/report.hpp"

#include <gtest/gtest.h>

#include "core/scaling/testing.hpp"

namespace liminal::scaling {
namespace {

EventTime minute(std::int64_t number) {
  return EventTime{std::chrono::minutes{20'000'000 + number}};
}

/// Three instances with .01 CPU a request each.
Report report(std::int64_t first, std::int64_t count, std::int64_t step = 1) {
  Report out{"web", {}, {}};
  for (std::int64_t t = first; t < first + count; t += step) {
    Random random(static_cast<std::uint64_t>(t + 100'000));
    const double load = made_up_load(t, random);
    out.rows.push_back({minute(t), {load, .01 * load / 3, .4, .1, 3}});
  }
  return out;
}

TEST(Report, AHistoryThatIsToldAfterTheFirstCallIsLearnt) {
  Service service;
  learn(service, report(3000, 1), {});
  const Learnt learnt = learn(service, report(0, 3002), {});
  EXPECT_EQ(learnt.rows, 3002u);
  EXPECT_EQ(learnt.late, 0u);
  Service at_once;
  learn(at_once, report(0, 3002), {});
  EXPECT_NE(service.advise(minute(3001), {}).action, Action::kMonitor);
  EXPECT_EQ(service.advise(minute(3001), {}).replicas, at_once.advise(minute(3001), {}).replicas);
  EXPECT_EQ(service.model().history().known_minutes(), 3001u);
}

TEST(Report, TheMinutesThatWereKnownFollowThePast) {
  Service service;
  learn(service, report(2000, 50), {});
  learn(service, report(0, 1990), {});
  const LoadHistory& history = service.model().history();
  EXPECT_EQ(history.last_minute(), minute_of(minute(2048)));
  EXPECT_EQ(history.minutes(), 2049u);
  EXPECT_EQ(service.first_minute(), minute_of(minute(0)));
  // Told once more it is known already.
  EXPECT_EQ(learn(service, report(0, 1990), {}).rows, 0u);
}

TEST(Report, APastThatTellsLessThanWhatIsKnownIsPassedOverAndCounted) {
  Service service;
  learn(service, report(2000, 500), {});
  const std::uint64_t before = service.state_hash();
  const Learnt learnt = learn(service, report(1900, 100), {});
  EXPECT_EQ(learnt.past, 100u);
  EXPECT_EQ(learnt.late, 100u);
  EXPECT_EQ(service.state_hash(), before);
}

TEST(Report, AHistoryThatFallsIntoAGapIsLearnt) {
  // One row of two days ago, one of now, and then all between.
  Service service, at_once;
  learn(service, report(0, 1), {});
  learn(service, report(2881, 1), {});
  const Learnt learnt = learn(service, report(1, 2880), {});
  EXPECT_EQ(learnt.rows, 2880u);
  EXPECT_EQ(learnt.late, 0u);
  EXPECT_EQ(learnt.past, 0u);
  learn(at_once, report(0, 2882), {});
  EXPECT_EQ(service.model().history().known_minutes(), 2881u);
  EXPECT_EQ(service.first_minute(), minute_of(minute(0)));
  EXPECT_EQ(service.advise(minute(2881), {}).replicas, at_once.advise(minute(2881), {}).replicas);
  // Told once more it is known already.
  EXPECT_EQ(learn(service, report(0, 2881), {}).rows, 0u);
}

TEST(Report, WhatIsKnownOfAGapIsKept) {
  Service service;
  learn(service, report(0, 20), {});
  learn(service, report(1000, 20), {});
  learn(service, report(2000, 1), {});
  Report between = report(30, 900);
  Report after = report(1500, 400);
  between.rows.insert(between.rows.end(), after.rows.begin(), after.rows.end());
  EXPECT_EQ(learn(service, between, {}).rows, 1300u);
  EXPECT_EQ(service.model().history().known_minutes(), 20u + 20u + 1300u + 10u)
      << "and ten between minutes 19 and 30";
}

TEST(Report, RowsOfAGapThatAreTooFewAreNamed) {
  Service service;
  learn(service, report(0, 100), {});
  learn(service, report(200, 100), {});
  const Learnt learnt = learn(service, report(90, 50), {});
  EXPECT_EQ(learnt.past, 40u);
  EXPECT_EQ(learnt.late, 50u);
}

TEST(Report, APastOfAnotherKindOfLoadIsPassedOver) {
  Service service;
  learn(service, report(2000, 5), {});
  Report cpu = report(0, 1000);
  for (Report::Row& row : cpu.rows) row.observed.request_rate.reset();
  EXPECT_EQ(learn(service, cpu, {}).past, 1000u);
}

TEST(Report, RowsOfKnownMinutesAreNoUntoldPast) {
  Service service;
  learn(service, report(0, 100), {});
  const Learnt learnt = learn(service, report(50, 100), {});
  EXPECT_EQ(learnt.rows, 51u) << "the open minute and fifty new ones";
  EXPECT_EQ(learnt.late, 49u);
  EXPECT_EQ(learnt.past, 0u);
}

TEST(Report, AnotherHorizonCountsForThePastToo) {
  Service service;
  learn(service, report(3000, 1), {});
  Report told = report(0, 3000);
  told.horizon_minutes = 30;
  learn(service, told, {});
  EXPECT_EQ(service.model().horizon(), 30u);
  EXPECT_TRUE(service.model().ready());
}

}  // namespace
}  // namespace liminal::scaling
