#include "core/limits/gcra.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace liminal::limits {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr GcraPolicy kTenPerSecondBurstThree{.period = milliseconds{100}, .burst = 3};

SteadyTime at(Duration since_start) { return SteadyTime{std::chrono::hours{1} + since_start}; }

TEST(Gcra, AllowsTheBurstThenRefusesWithTheExactTimeToComeBack) {
  Gcra limit;
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(limit.take(kTenPerSecondBurstThree, at(milliseconds{0})).allowed);

  const GcraVerdict refused = limit.take(kTenPerSecondBurstThree, at(milliseconds{0}));

  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, milliseconds{100});
  EXPECT_EQ(limit.excess(kTenPerSecondBurstThree, at(refused.retry_after - Duration{1})),
            Duration{1});
  EXPECT_EQ(limit.excess(kTenPerSecondBurstThree, at(refused.retry_after)), Duration::zero());
}

TEST(Gcra, AnEventDearerThanTheBurstIsNeverAllowed) {
  Gcra limit;
  const GcraVerdict verdict = limit.take(kTenPerSecondBurstThree, at(milliseconds{0}), 4);
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.retry_after, Duration::max());
}

TEST(Gcra, ARefusedEventCostsNothing) {
  Gcra limit;
  for (int i = 0; i < 100; ++i) (void)limit.take(kTenPerSecondBurstThree, at(milliseconds{0}));
  EXPECT_TRUE(limit.take(kTenPerSecondBurstThree, at(milliseconds{100})).allowed);
}

TEST(Gcra, AJumpForwardGrantsOneBurstAndNoMore) {
  Gcra limit;
  for (int i = 0; i < 3; ++i) (void)limit.take(kTenPerSecondBurstThree, at(milliseconds{0}));
  int allowed = 0;
  for (int i = 0; i < 100; ++i)
    allowed += limit.take(kTenPerSecondBurstThree, at(std::chrono::hours{24 * 365})).allowed;
  EXPECT_EQ(allowed, 3);
}

TEST(Gcra, WithoutARateEverythingIsAllowed) {
  const GcraPolicy none = GcraPolicy::messages(0, 0);
  Gcra limit;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.take(none, at(milliseconds{0}), 1000).allowed);
  EXPECT_EQ(none.per_second(), 0);
}

TEST(Gcra, KeepsAByteRateExactToAThousandth) {
  for (const double rate : {1., 4096., 655'360., 1e7, 123'456'789., 1e9}) {
    const GcraPolicy policy = GcraPolicy::bytes(rate, 1);
    EXPECT_NEAR(policy.per_second(), rate, rate * 1e-3) << rate;
  }
  EXPECT_EQ(GcraPolicy::messages(10, 20).period, milliseconds{100});
}

TEST(Gcra, WhatWasUsedElsewhereIsOwedInFullButNotForEver) {
  Gcra limit;
  limit.charge_any(kTenPerSecondBurstThree, at(milliseconds{0}), 50);
  EXPECT_EQ(limit.excess(kTenPerSecondBurstThree, at(milliseconds{0})),
            milliseconds{5000 + 100 - 300});
  limit.charge_any(kTenPerSecondBurstThree, at(milliseconds{0}), ~0ULL);
  EXPECT_EQ(limit.excess(kTenPerSecondBurstThree, at(milliseconds{0})),
            kDebtMax + milliseconds{100 - 300});
}

TEST(Gcra, RefusesToLoadATimeNobodyCanHaveSaved) {
  for (const std::int64_t wrong : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    Writer out;
    out.put(wrong);
    Reader in(out.bytes());
    (void)Gcra::load(in);
    EXPECT_FALSE(in.ok());
  }
}

struct Arrival {
  SteadyTime time;
  std::uint32_t cost;
};

/// Events in order of time, with pauses of up to a second.
rc::Gen<std::vector<Arrival>> arrivals(std::uint32_t cost_max) {
  return rc::gen::exec([cost_max] {
    std::vector<Arrival> events;
    SteadyTime now = at(Duration::zero());
    for (const int pause : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1'000'000)))
      events.push_back({now += microseconds{pause}, *rc::gen::inRange(1U, cost_max + 1)});
    return events;
  });
}

/// The definition: some interval's events take longer than it and the allowance.
bool some_interval_exceeds(const std::vector<Arrival>& events, const GcraPolicy& policy) {
  for (std::size_t first = 0; first < events.size(); ++first) {
    Duration sum{};
    for (std::size_t last = first; last < events.size(); ++last) {
      sum += policy.time_of(events[last].cost);
      if (sum > events[last].time - events[first].time + policy.allowance()) return true;
    }
  }
  return false;
}

rc::Gen<GcraPolicy> policies() {
  return rc::gen::exec([] {
    const bool bytes = *rc::gen::arbitrary<bool>();
    return GcraPolicy{.period = microseconds{*rc::gen::inRange(1, 500'000)},
                      .burst = *rc::gen::inRange(1U, bytes ? 20'000U : 20U),
                      .shift = static_cast<std::uint8_t>(bytes ? 10 : 0)};
  });
}

RC_GTEST_PROP(Gcra, NoIntervalAllowsMoreThanAllowancePlusItsLength, ()) {
  const GcraPolicy policy = *policies();
  Gcra limit;
  std::vector<Arrival> allowed;
  for (const Arrival& event : *arrivals(policy.burst))
    if (limit.take(policy, event.time, event.cost).allowed) allowed.push_back(event);
  RC_ASSERT(!some_interval_exceeds(allowed, policy));
}

RC_GTEST_PROP(Gcra, RefusesOnlyWhatTheDefinitionRefusesAndSaysExactlyHowLong, ()) {
  const GcraPolicy policy = *policies();
  Gcra limit;
  std::vector<Arrival> allowed;
  for (const Arrival& event : *arrivals(policy.burst)) {
    const GcraVerdict verdict = limit.take(policy, event.time, event.cost);
    allowed.push_back(event);
    RC_ASSERT(verdict.allowed != some_interval_exceeds(allowed, policy));
    if (verdict.allowed) continue;
    allowed.back().time = event.time + verdict.retry_after;
    RC_ASSERT(!some_interval_exceeds(allowed, policy));
    allowed.back().time -= Duration{1};
    RC_ASSERT(some_interval_exceeds(allowed, policy));
    allowed.pop_back();
  }
}

RC_GTEST_PROP(Gcra, TimeThatGoesBackGrantsNothing, ()) {
  const auto back = milliseconds{*rc::gen::inRange(0, 10'000)};
  Gcra limit;
  for (int i = 0; i < 3; ++i) (void)limit.take(kTenPerSecondBurstThree, at(milliseconds{0}));
  RC_ASSERT(!limit.take(kTenPerSecondBurstThree, at(-back)).allowed);
  RC_ASSERT(limit.take(kTenPerSecondBurstThree, at(milliseconds{100})).allowed);
}

RC_GTEST_PROP(Gcra, AChangeOfRateNeverGrantsWhatWasRefusedBefore, ()) {
  const std::uint32_t burst = *rc::gen::inRange(1U, 20U);
  const GcraPolicy before{.period = microseconds{*rc::gen::inRange(1, 500'000)}, .burst = burst};
  const GcraPolicy after{.period = microseconds{*rc::gen::inRange(1, 500'000)}, .burst = burst};
  Gcra limit;
  for (std::uint32_t i = *rc::gen::inRange(0U, burst + 1); i > 0; --i)
    limit.charge(before, at(Duration::zero()));
  const SteadyTime now = at(microseconds{*rc::gen::inRange(0, 500'000)});
  const auto fits = [now](Gcra g, const GcraPolicy& policy) {
    std::uint32_t count = 0;
    while (g.take(policy, now).allowed) ++count;
    return count;
  };

  const std::uint32_t fits_before = fits(limit, before);
  limit.change_rate(before.period, after.period, now);

  // Rounding may cost what a nanosecond is worth: never more than the last of them.
  RC_ASSERT(fits(limit, after) <= fits_before);
  RC_ASSERT(fits(limit, after) + 1 >= fits_before);
}

/// Over any changes of rate, an interval allows burst + the integral of the rate over it.
RC_GTEST_PROP(Gcra, UnderChangingRatesNoIntervalAllowsMoreThanBurstPlusTheIntegral, ()) {
  const std::uint32_t burst = *rc::gen::inRange(1U, 10U);
  GcraPolicy policy{.period = milliseconds{100}, .burst = burst};
  Gcra limit;
  SteadyTime now = at(Duration::zero());
  double integral = 0;  // units since the start
  std::vector<double> at_allowed;
  for (const int action : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 400))) {
    if (action < 100) {
      const GcraPolicy next{.period = milliseconds{1 + action * 5}, .burst = burst};
      limit.change_rate(policy.period, next.period, now);
      policy = next;
      continue;
    }
    const Duration pause = milliseconds{action - 100};
    now += pause;
    integral += seconds(pause) / seconds(policy.period);
    while (limit.take(policy, now).allowed) at_allowed.push_back(integral);
  }
  for (std::size_t first = 0; first < at_allowed.size(); ++first)
    for (std::size_t last = first; last < at_allowed.size(); ++last)
      RC_ASSERT(static_cast<double>(last - first + 1) <=
                burst + at_allowed[last] - at_allowed[first] + 1e-6);
}

}  // namespace
}  // namespace liminal::limits
