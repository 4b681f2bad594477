#include "server/actor/pacer.hpp"

#include <gtest/gtest.h>

namespace liminal::actor {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

SteadyTime at(std::int64_t s) { return SteadyTime{seconds{1'700'000'000 + s}}; }
using http::Outcome;
constexpr Outcome kDone{Outcome::Kind::kDone, {}}, kRetry{Outcome::Kind::kRetry, {}},
    kRejected{Outcome::Kind::kRejected, {}};

TEST(Pacer, TellsWhatChangesNoMoreOftenThanTheInterval) {
  const Options options;
  Pacer pacer(options, true);
  EXPECT_EQ(pacer.told(), std::nullopt);
  ASSERT_TRUE(pacer.is_due(3, at(0)));
  pacer.settle(3, kDone, at(0));
  EXPECT_EQ(pacer.told(), 3U);
  EXPECT_FALSE(pacer.is_due(3, at(40)));
  EXPECT_FALSE(pacer.is_due(4, at(29)));
  EXPECT_TRUE(pacer.is_due(4, at(30)));
}

TEST(Pacer, TellsAgainAfterAWhileIfItIsTo) {
  const Options options;
  Pacer repeating(options, true), once(options, false);
  repeating.settle(3, kDone, at(0));
  once.settle(3, kDone, at(0));
  EXPECT_FALSE(repeating.is_due(3, at(599)));
  EXPECT_TRUE(repeating.is_due(3, at(600)));
  EXPECT_FALSE(once.is_due(3, at(100'000)));
}

TEST(Pacer, BacksOffWithEachFailure) {
  const Options options;
  Pacer pacer(options, true);
  std::int64_t now = 0;
  for (const int pause : {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}) {
    ASSERT_TRUE(pacer.is_due(3, at(now)));
    pacer.settle(3, kRetry, at(now));
    EXPECT_FALSE(pacer.is_due(3, at(now + pause - 1))) << pause;
    EXPECT_FALSE(pacer.is_due(4, at(now + pause - 1))) << "another number is no reason to hurry";
    now += pause;
  }
  EXPECT_EQ(pacer.told(), std::nullopt);
  pacer.settle(3, kDone, at(now));
  pacer.settle(4, kRetry, at(now + 30));
  EXPECT_TRUE(pacer.is_due(4, at(now + 31))) << "from the beginning";
}

TEST(Pacer, WaitsAsLongAsItIsAskedTo) {
  const Options options;
  Pacer pacer(options, true);
  pacer.settle(3, {Outcome::Kind::kRetry, seconds{20}}, at(0));
  EXPECT_FALSE(pacer.is_due(3, at(19)));
  EXPECT_TRUE(pacer.is_due(3, at(20)));
  pacer.settle(3, {Outcome::Kind::kRetry, std::chrono::hours{9}}, at(20));
  EXPECT_TRUE(pacer.is_due(3, at(320)));
}

TEST(Pacer, LeavesWhoRefusesAloneForAWhile) {
  const Options options;
  Pacer pacer(options, true);
  pacer.settle(3, kRejected, at(0));
  EXPECT_FALSE(pacer.is_due(5, at(299)));
  EXPECT_TRUE(pacer.is_due(3, at(300)));
}

}  // namespace
}  // namespace liminal::actor
