#include "core/limits/decide.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/limits/testing.hpp"

namespace liminal::limits {
namespace {

using namespace testing;

TEST(Decide, InShadowLetsEverythingThroughAndSaysWhatItWouldDo) {
  One one{Options{}};
  EXPECT_EQ(one.pass(at(seconds{0}), 20), 20);

  const Verdict verdict = one.message(at(seconds{0}));

  EXPECT_EQ(verdict.decision, Decision::kAllow);
  EXPECT_EQ(verdict.shadow, Decision::kDelay);
  EXPECT_EQ(verdict.reason, Reason::kUserMessages);
  EXPECT_EQ(verdict.retry_after, milliseconds{100});
  EXPECT_TRUE(violates(verdict));
}

TEST(Decide, ObservingOnlyCounts) {
  Options options;
  options.mode = Mode::kObserve;
  One one{options};
  (void)one.pass(at(seconds{0}), 20);

  const Verdict verdict = one.message(at(seconds{0}));

  EXPECT_EQ(verdict, (Verdict{.observed = Decision::kDelay, .reason = Reason::kUserMessages}));
  EXPECT_TRUE(violates(verdict));
}

TEST(Decide, ClimbsTheLadderFromDelayToDropToClose) {
  Options options = enforcing();
  options.close_after = {.per_second = 1, .burst = 5};
  One one{options};
  std::vector<Decision> seen;
  for (int i = 0; i < 37; ++i) seen.push_back(one.message(at(seconds{0})).decision);

  std::vector<Decision> expected(20, Decision::kAllow);
  expected.insert(expected.end(), 10, Decision::kDelay);  // a second at ten a second
  expected.insert(expected.end(), 5, Decision::kDrop);
  expected.insert(expected.end(), 2, Decision::kClose);
  EXPECT_EQ(seen, expected);
}

TEST(Decide, ForgivesDropsInTime) {
  Options options = enforcing();
  options.close_after = {.per_second = 1, .burst = 5};
  One one{options};
  (void)one.pass(at(seconds{0}), 35);
  EXPECT_EQ(one.message(at(seconds{0})).decision, Decision::kClose);

  (void)one.pass(at(seconds{60}), 30);

  EXPECT_EQ(one.message(at(seconds{60})).decision, Decision::kDrop);
}

TEST(Decide, WithoutDelayDropsAndNeverClosesWhenNotToldTo) {
  Options options = enforcing();
  options.delay_max = Duration::zero();
  options.close_after = {};
  One one{options};
  (void)one.pass(at(seconds{0}), 20);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(one.message(at(seconds{0})).decision, Decision::kDrop);
}

TEST(Decide, ClosesOnAMessageAboveTheSizeCapAndChargesNothing) {
  One one{enforcing()};
  EXPECT_EQ(one.message(at(seconds{0}), 64 * 1024).decision, Decision::kAllow);
  const UserLimits before = one.user;

  const Verdict verdict = one.message(at(seconds{0}), 64 * 1024 + 1);

  EXPECT_EQ(verdict,
            (Verdict{.decision = Decision::kClose,
                     .shadow = Decision::kClose,
                     .observed = Decision::kClose,
                     .reason = Reason::kMessageSize,
                     .finding = {},
                     .retry_after = Duration::max()}));
  EXPECT_EQ(one.user, before);
}

TEST(Decide, LimitsAnAddressOverItsUsers) {
  const Policies policies(enforcing());
  AddressLimits address;
  std::vector<UserLimits> users(30);
  int allowed = 0;
  Verdict last;
  for (UserLimits& user : users) {
    for (int i = 0; i < 10; ++i) {
      Event event;
      event.user = Name("somebody");
      last = decide(policies, user, &address, nullptr, event, at(seconds{0}));
      allowed += last.decision == Decision::kAllow;
    }
  }
  EXPECT_EQ(allowed, 200);
  EXPECT_EQ(last.reason, Reason::kAddressMessages);
}

TEST(Decide, LimitsBytesBySizeAndNotByNumber) {
  Options options = enforcing();
  options.user.bytes = {.per_second = 1024, .burst = 65'536};
  options.delay_max = Duration::zero();
  One one{options};
  EXPECT_EQ(one.message(at(seconds{0}), 65'536).decision, Decision::kAllow);
  const Verdict refused = one.message(at(seconds{0}), 1024);
  EXPECT_EQ(refused.reason, Reason::kUserBytes);
  EXPECT_EQ(refused.retry_after, seconds{1});
}

TEST(Decide, HoldsASustainedRateBesideTheBurst) {
  Options options = enforcing();
  options.user.messages_sustained = {.per_second = .1, .burst = 30};
  options.delay_max = Duration::zero();
  One one{options};
  EXPECT_EQ(one.pass(at(seconds{0}), 20), 20);
  EXPECT_EQ(one.pass(at(seconds{10}), 20), 11);
}

TEST(Decide, LimitsAConnectionAmongOthersOfItsUser) {
  Options options = enforcing();
  options.connection.messages = {.per_second = 1, .burst = 2};
  options.delay_max = Duration::zero();
  One one{options};
  EXPECT_EQ(one.pass(at(seconds{0}), 5), 2);
  one.connection = {};
  EXPECT_EQ(one.pass(at(seconds{0}), 5), 2);
}

TEST(Decide, RefusesTheConnectionThatIsOneTooManyUntilOneCloses) {
  One one{enforcing()};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one.connect(at(seconds{0})).decision, Decision::kAllow);

  const Verdict refused = one.connect(at(seconds{1}));
  EXPECT_EQ(refused.decision, Decision::kDrop);
  EXPECT_EQ(refused.reason, Reason::kUserConnections);
  EXPECT_EQ(refused.retry_after, Duration::max());

  (void)one.disconnect(at(seconds{2}));
  EXPECT_EQ(one.connect(at(seconds{3})).decision, Decision::kAllow);
}

TEST(Decide, InShadowCountsConnectionsAboveTheCapToo) {
  One one{Options{}};
  for (int i = 0; i < 12; ++i) (void)one.connect(at(seconds{0}));
  EXPECT_EQ(one.user.connections(), 12u);
  EXPECT_EQ(one.connect(at(seconds{0})).shadow, Decision::kDrop);
}

TEST(Decide, OfWhatIsOnlyReportedSaysWhatItWouldHaveDone) {
  One told(enforcing());
  told.reported = true;
  One shadow(Options{});
  for (int i = 0; i < 200; ++i) {
    const Verdict verdict = told.message(at(milliseconds(i)));
    const Verdict expected = shadow.message(at(milliseconds(i)));
    EXPECT_EQ(verdict.decision, Decision::kAllow);
    EXPECT_EQ(verdict.shadow, expected.shadow);
    EXPECT_EQ(verdict.reason, expected.reason);
  }
  for (int i = 0; i < 15; ++i) EXPECT_EQ(told.connect(at({})).decision, Decision::kAllow);
  EXPECT_EQ(told.user.connections(), 15u);
  EXPECT_EQ(told.connect(at({})).shadow, Decision::kDrop);
  const Override block = order(Override::Kind::kBlock);
  told.override = &block;
  EXPECT_EQ(told.connect(at({})).decision, Decision::kAllow);
  EXPECT_EQ(told.message(at({})).shadow, Decision::kClose);
  EXPECT_EQ(told.user.connections(), 17u);
}

TEST(Decide, CountsAnAddressesConnectionsElsewhere) {
  One one{enforcing()};
  one.address.charge_remote(one.policies, {.messages = 0, .bytes = 0, .connections = 49}, at({}));
  EXPECT_EQ(one.connect(at(seconds{0})).decision, Decision::kAllow);
  EXPECT_EQ(one.connect(at(seconds{0})).reason, Reason::kAddressConnections);
}

TEST(Decide, TakesTheCountOfWhoOpensConnectionsForWhatShardsToldEachOther) {
  One one{enforcing()};
  EXPECT_EQ(one.connect(at(seconds{0}), 50).decision, Decision::kAllow);
  const Verdict refused = one.connect(at(seconds{0}), 51);
  EXPECT_EQ(refused.decision, Decision::kDrop);
  EXPECT_EQ(refused.reason, Reason::kAddressConnections);
  // Those elsewhere have ended since they were told of.
  one.address.charge_remote(one.policies, {.messages = 0, .bytes = 0, .connections = 60}, at({}));
  EXPECT_EQ(one.connect(at(seconds{0}), 3).decision, Decision::kAllow);
  EXPECT_EQ(one.connect(at(seconds{0})).reason, Reason::kAddressConnections);
}

TEST(Decide, ChargesWhatCameOfAMessageLaterAndClosesWhenItGrewTooLarge) {
  Options options = enforcing();
  options.user.bytes = {.per_second = 1000, .burst = 10'000, .mode = {}};
  One one{options};
  EXPECT_EQ(one.message(at({}), 1000).decision, Decision::kAllow);
  EXPECT_EQ(one.continued(at({}), 1000, 12'000).decision, Decision::kAllow) << "it has passed";
  EXPECT_EQ(one.message(at({}), 1000).retry_after, seconds{3}) << "13,000 of 10,000 are used";
  EXPECT_EQ(one.message(at(seconds{3}), 1000).decision, Decision::kAllow);

  const Verdict closed = one.continued(at(seconds{3}), 1000, 65 * 1024);
  EXPECT_EQ(closed.decision, Decision::kClose);
  EXPECT_EQ(closed.reason, Reason::kMessageSize);
  EXPECT_EQ(one.continued(at(seconds{3}), 65 * 1024, 66 * 1024), Verdict{}) << "said before";
  const Override allow = order(Override::Kind::kAllow);
  one.override = &allow;
  EXPECT_EQ(one.continued(at(seconds{3}), 1000, 65 * 1024), Verdict{});
  const Override block = order(Override::Kind::kBlock);
  one.override = &block;
  EXPECT_EQ(one.continued(at(seconds{3}), 10, 20).decision, Decision::kClose);
}

TEST(Decide, OfWhatWouldHaveBeenRefusedNothingMoreWouldHaveCome) {
  Options options;
  options.user.bytes = {.per_second = 1000, .burst = 10'000};
  options.delay_max = Duration::zero();
  One one{options};
  EXPECT_EQ(one.message(at({}), 10'000).shadow, Decision::kAllow);
  const Verdict begun = one.message(at({}), 10);
  EXPECT_EQ(begun.shadow, Decision::kDrop);
  const One before = one;
  EXPECT_EQ(one.continued(at(seconds{1}), 10, 100'000, begun), Verdict{}) << "not too large either";
  EXPECT_EQ(one.user, before.user);
  EXPECT_EQ(one.address, before.address);

  Policies enforced(enforcing());  // what is too large is closed, whatever else would have been
  one.policies.message_bytes = enforced.message_bytes;
  EXPECT_EQ(one.continued(at(seconds{1}), 10, 100'000, begun).decision, Decision::kClose);
}

TEST(Decide, ADisconnectWithoutAConnectIsHarmless) {
  One one{enforcing()};
  (void)one.disconnect(at(seconds{0}));
  EXPECT_EQ(one.user.connections(), 0u);
  EXPECT_EQ(one.address.connections(), 0u);
}

TEST(Override, AllowBeatsEverything) {
  const Override allow = order(Override::Kind::kAllow);
  One one{enforcing()};
  one.override = &allow;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(one.message(at(seconds{0}), 1 << 20), Verdict{});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.connect(at(seconds{0})), Verdict{});
  EXPECT_EQ(one.address.take_usage().messages, 0u);
}

TEST(Override, TheAllowListBeatsABlock) {
  Options options = enforcing();
  options.allow_users = {"bob", "ann"};
  const Override block = order(Override::Kind::kBlock);
  One one{options};
  one.override = &block;
  EXPECT_EQ(one.pass(at(seconds{0}), 100), 100);
}

TEST(Override, TheAllowListNamesAddressesToo) {
  Options options = enforcing();
  options.allow_addresses = {"10.0.0.1"};
  One one{options};
  EXPECT_EQ(one.pass(at(seconds{0}), 100), 100);
}

TEST(Override, BlockActsInEveryModeUntilItExpires) {
  Override block = order(Override::Kind::kBlock);
  block.expires = at(seconds{10});
  One one{Options{}};
  one.override = &block;

  const Verdict message = one.message(at(seconds{4}));
  EXPECT_EQ(message.decision, Decision::kClose);
  EXPECT_EQ(message.reason, Reason::kBlocked);
  EXPECT_EQ(message.retry_after, seconds{6});
  EXPECT_EQ(one.connect(at(seconds{4})).decision, Decision::kDrop);
  EXPECT_EQ(one.message(at(seconds{10})).decision, Decision::kAllow);
}

TEST(Override, ARateReplacesTheUsersRateAndNotTheAddresses) {
  const Override rate = order(Override::Kind::kRate, 1000, 500);
  Options options = enforcing();
  options.delay_max = Duration::zero();
  One one{options};
  one.override = &rate;
  EXPECT_EQ(one.pass(at(seconds{0}), 1000), 200);
}

TEST(Override, NeitherItsComingNorItsGoingGrantsAFreshBurst) {
  Override slow = order(Override::Kind::kRate, 1, 20);
  slow.expires = at(seconds{10});
  Options options = enforcing();
  options.delay_max = Duration::zero();
  One one{options};
  EXPECT_EQ(one.pass(at(seconds{0}), 100), 20);
  one.override = &slow;
  EXPECT_EQ(one.pass(at(seconds{0}), 100), 0);
  EXPECT_EQ(one.pass(at(seconds{9}), 100), 9);
  // The last second still ran at one a second.
  EXPECT_EQ(one.pass(at(seconds{10}), 100), 1);
  EXPECT_EQ(one.pass(at(seconds{11}), 100), 10);
}

TEST(Adapt, SlowsAnAbuserDownWithoutAFreshBurst) {
  Options options = enforcing();
  options.delay_max = Duration::zero();
  One one{options};
  SteadyTime now = at(seconds{0});
  for (int i = 0; i < 600; ++i, now += milliseconds{100}) {
    (void)one.message(now);
    one.user.adapt(one.policies, 3, now);
  }
  const InForce limit = in_force(one.policies, one.user, nullptr, now);
  EXPECT_NEAR(limit.messages_per_second, 1, .05);
  EXPECT_EQ(limit.burst, 20u);
  const UserLimits slowed = one.user;
  EXPECT_LE(one.pass(now, 100), 1);
  one.user = slowed;
  EXPECT_NEAR(one.pass(now + seconds{10}, 100), 10, 1);
}

TEST(Reload, NeitherSlowingNorSpeedingUpGrantsAFreshBurst) {
  Options options = enforcing();
  options.delay_max = Duration::zero();
  options.user.messages_sustained = {.per_second = 1, .burst = 40};
  options.user.bytes = {.per_second = 65'536, .burst = 65'536};
  for (const double factor : {.1, 10.}) {
    One one{options};
    EXPECT_EQ(one.pass(at(seconds{0}), 100), 20);
    EXPECT_EQ(one.message(at(seconds{1}), 65'536).decision, Decision::kAllow);

    Options changed = options;
    changed.user.messages.per_second *= factor;
    changed.user.messages_sustained.per_second *= factor;
    changed.user.bytes.per_second *= factor;
    changed.address.messages.per_second *= factor;
    const Policies after(changed);
    one.user.carry_over(one.policies, after, at(seconds{1}));
    one.address.carry_over(one.policies, after, at(seconds{1}));
    one.policies = after;

    EXPECT_EQ(one.message(at(seconds{1}), 1).reason, Reason::kUserBytes);
    EXPECT_EQ(one.pass(at(seconds{1}), 100), 0);
  }
}

TEST(Decide, TimesBeyondTheRangeCountAsItsEnds) {
  One one{enforcing()};
  EXPECT_EQ(one.message(SteadyTime::min()).decision, Decision::kAllow);
  EXPECT_EQ(one.message(SteadyTime::max()).decision, Decision::kAllow);
}

}  // namespace
}  // namespace liminal::limits
