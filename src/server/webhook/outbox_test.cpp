#include "server/webhook/outbox.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = http::Outcome::Kind;

SteadyTime at(Duration since_start) { return SteadyTime{std::chrono::hours{1} + since_start}; }

Options options() {
  Options o;
  o.url = "http://localhost/";
  return o;
}

void fail_once(Outbox& outbox, SteadyTime now, Duration asked = {}) {
  std::optional<Delivery> delivery = outbox.take(now);
  ASSERT_TRUE(delivery);
  outbox.settle(std::move(*delivery), {Kind::kRetry, asked}, now);
}

TEST(WebhookOptions, NamesAllProblems) {
  EXPECT_TRUE(validate(Options{}).empty());
  Options wrong;
  wrong.url = "ftp://example.org";
  wrong.secret = "whsec_?";
  wrong.queue_max = wrong.attempts_max = 0;
  wrong.retry_first = wrong.timeout = {};
  wrong.retry_max = -seconds{1};
  EXPECT_EQ(validate(wrong).size(), 7u);
}

TEST(Outbox, GivesWhatWasPutInInOrderAndAtOnce) {
  Outbox outbox(options(), 1);
  EXPECT_FALSE(outbox.next_due());
  outbox.push("a", "1", at({}));
  outbox.push("b", "2", at({}));
  EXPECT_EQ(outbox.next_due(), at({}));
  for (const char* id : {"a", "b"}) {
    auto delivery = outbox.take(at({}));
    ASSERT_TRUE(delivery);
    EXPECT_EQ(delivery->id, id);
    outbox.settle(std::move(*delivery), {Kind::kDone, {}}, at({}));
  }
  EXPECT_EQ(outbox.counters().delivered, 2u);
  EXPECT_EQ(outbox.size(), 0u);
}

RC_GTEST_PROP(Outbox, BacksOffTwiceAsLongEachTimeWithAtMostHalfOfItRandom, (std::uint64_t seed)) {
  Outbox outbox(options(), seed);
  outbox.push("a", "1", at({}));
  SteadyTime now = at({});
  Duration longest = seconds{1};
  for (int attempt = 1; attempt < 20; ++attempt) {
    fail_once(outbox, now);
    const Duration pause = outbox.next_due().value() - now;
    // Of the delivery and the receiver the later: both are drawn from the same range.
    RC_ASSERT(pause >= longest / 2);
    RC_ASSERT(pause <= longest);
    now += pause;
    longest = std::min<Duration>(2 * longest, minutes{5});
  }
  fail_once(outbox, now);
  RC_ASSERT(outbox.counters().given_up == 1u);
  RC_ASSERT(outbox.size() == 0u);
}

TEST(Outbox, WaitsAsLongAsTheReceiverAsksButNotForEver) {
  Outbox outbox(options(), 1);
  outbox.push("a", "1", at({}));
  fail_once(outbox, at({}), seconds{60});
  EXPECT_EQ(outbox.next_due(), at(seconds{60}));
  fail_once(outbox, at(seconds{60}), std::chrono::hours{24});
  EXPECT_EQ(outbox.next_due(), at(seconds{60} + minutes{5}));
}

TEST(Outbox, GivesADeadReceiverOneAttemptAPauseHoweverMuchWaits) {
  Outbox outbox(options(), 1);
  for (int i = 0; i < 500; ++i) outbox.push(std::to_string(i), "", at({}));
  int attempts = 0;
  for (SteadyTime now = at({}); now < at(minutes{5}); now += milliseconds{100}) {
    while (auto delivery = outbox.take(now)) {
      ++attempts;
      outbox.settle(std::move(*delivery), {Kind::kRetry, {}}, now);
    }
  }
  EXPECT_LE(attempts, 12);  // 1 + 2 + 4 + … at half the pause
  EXPECT_EQ(outbox.size(), 500u);
}

TEST(Outbox, OneThatAlwaysFailsDoesNotHoldUpTheOthers) {
  Outbox outbox(options(), 1);
  outbox.push("poison", "", at({}));
  for (int i = 0; i < 50; ++i) outbox.push("good", "", at({}));
  for (SteadyTime now = at({}); now < at(seconds{10}); now += milliseconds{100}) {
    while (auto delivery = outbox.take(now)) {
      const Kind kind = delivery->id == "good" ? Kind::kDone : Kind::kRetry;
      outbox.settle(std::move(*delivery), {kind, {}}, now);
    }
  }
  EXPECT_EQ(outbox.counters().delivered, 50u);
  EXPECT_EQ(outbox.size(), 1u);
}

TEST(Outbox, WhatIsRejectedIsNotTriedAgain) {
  Outbox outbox(options(), 1);
  outbox.push("a", "", at({}));
  outbox.settle(*outbox.take(at({})), {Kind::kRejected, {}}, at({}));
  EXPECT_EQ(outbox.size(), 0u);
  EXPECT_EQ(outbox.counters().rejected, 1u);
}

RC_GTEST_PROP(Outbox, HoldsToItsBoundAndCountsEachDeliveryOnce, (std::uint64_t seed)) {
  Options few = options();
  few.queue_max = 5;
  few.attempts_max = 3;
  Outbox outbox(few, seed);
  Random random(seed);
  SteadyTime now = at({});
  std::uint64_t pushed = 0;
  for (int i = 0; i < 500; ++i, now += milliseconds{random.below(1'000)}) {
    if (random.chance(.5)) outbox.push(std::to_string(pushed++), "", now);
    if (auto delivery = outbox.take(now)) {
      if (random.chance(.3)) outbox.push(std::to_string(pushed++), "", now);
      outbox.settle(
          std::move(*delivery), {Kind{static_cast<std::uint8_t>(random.below(3))}, {}}, now);
    }
    RC_ASSERT(outbox.size() <= 5u);
    const OutboxCounters& c = outbox.counters();
    RC_ASSERT(c.delivered + c.rejected + c.given_up + c.overflowed + outbox.size() == pushed);
  }
}

TEST(Outbox, DropsTheOldestWhenItIsFull) {
  Options few = options();
  few.queue_max = 2;
  Outbox outbox(few, 1);
  for (const char* id : {"a", "b", "c"}) outbox.push(id, "", at({}));
  EXPECT_EQ(outbox.take(at({}))->id, "b");
  EXPECT_EQ(outbox.counters().overflowed, 1u);
}

}  // namespace
}  // namespace liminal::webhook
