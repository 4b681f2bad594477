#include "core/abuse/inject.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace liminal::abuse {
namespace {

constexpr double kEnd = 7200;

TEST(Abuse, EveryKindIsPutWhereItSays) {
  for (std::size_t kind = 0; kind < kAbuses; ++kind) {
    const auto abuse = static_cast<Abuse>(kind);
    if (abuse == Abuse::kTakeover) continue;
    Random random(kind);
    Trace trace;
    const auto done = inject(trace, abuse, kEnd, random, 3);
    ASSERT_TRUE(done) << name(abuse);
    EXPECT_EQ(done->abuse, abuse);
    EXPECT_FALSE(done->users.empty());
    EXPECT_LE(done->from, done->tenth_event) << name(abuse);
    EXPECT_LE(done->tenth_event, done->to) << name(abuse);
    for (const TraceEvent& event : trace) {
      EXPECT_NE(std::find(done->users.begin(), done->users.end(), event.user), done->users.end());
      EXPECT_GE(event.t, done->from);
      EXPECT_LE(event.t, done->to);
    }
  }
}

TEST(Abuse, SomebodyWithAPastIsTakenOver) {
  Trace trace;
  Random random(1);
  EXPECT_FALSE(inject(trace, Abuse::kTakeover, kEnd, random, 0)) << "there is nobody";
  for (int i = 0; i < 60; ++i) {
    TraceEvent event;
    event.t = 30 * i;
    event.user = "ann";
    event.address = "10.0.0.1";
    trace.push_back(event);
  }
  const auto done = inject(trace, Abuse::kTakeover, kEnd, random, 0);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->users.at(0), "ann");
  EXPECT_NE(trace.back().address, "10.0.0.1");
}

TEST(Abuse, TheSameSeedCommitsTheSame) {
  const auto trace_of = [](std::uint64_t seed) {
    Random random(seed);
    Trace trace;
    (void)inject(trace, Abuse::kRing, kEnd, random, 0);
    return trace;
  };
  const Trace one = trace_of(4), two = trace_of(4), other = trace_of(5);
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].t, two[i].t);
    EXPECT_EQ(one[i].address, two[i].address);
    EXPECT_EQ(one[i].content, two[i].content);
  }
  EXPECT_NE(one.front().t, other.front().t);
}

TEST(Abuse, LevelsGoInEqualRatios) {
  EXPECT_DOUBLE_EQ(level(600, 6, 0), 600);
  EXPECT_NEAR(level(600, 6, .5), 60, 1e-9);
  EXPECT_NEAR(level(600, 6, 1), 6, 1e-9);
}

}  // namespace
}  // namespace liminal::abuse
