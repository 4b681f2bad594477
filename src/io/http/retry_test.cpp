#include "io/http/retry.hpp"

#include <gtest/gtest.h>

namespace liminal::http {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Outcome::Kind;

TEST(OutcomeOf, RetriesWhatMayPassAndNothingElse) {
  for (const unsigned good : {200U, 201U, 204U})
    EXPECT_EQ(outcome_of(good, "").kind, Kind::kDone) << good;
  for (const unsigned passing : {408U, 425U, 429U, 500U, 503U, 599U})
    EXPECT_EQ(outcome_of(passing, "").kind, Kind::kRetry) << passing;
  for (const unsigned final : {301U, 302U, 400U, 401U, 404U, 410U, 412U, 413U})
    EXPECT_EQ(outcome_of(final, "").kind, Kind::kRejected) << final;
}

TEST(OutcomeOf, ReadsHowLongToWait) {
  EXPECT_EQ(outcome_of(503, "17").retry_after, seconds{17});
  EXPECT_EQ(outcome_of(503, "99999999999").retry_after, std::chrono::hours{24});
  for (const char* other : {"", "-1", "soon", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT"})
    EXPECT_EQ(outcome_of(503, other).retry_after, Duration::zero()) << other;
}

TEST(OutcomeOf, TakesNoAnswerForOneThatMayCome) {
  EXPECT_EQ(outcome_of(failure(ErrorCode::kUnavailable)).kind, Kind::kRetry);
  const Outcome busy = outcome_of(Response{503, {{"retry-after", "3"}}, ""});
  EXPECT_EQ(busy.kind, Kind::kRetry);
  EXPECT_EQ(busy.retry_after, seconds{3});
  EXPECT_EQ(outcome_of(Response{204, {}, ""}).kind, Kind::kDone);
}

TEST(Backoff, WaitsTwiceAsLongEachTimeUpToAnEnd) {
  const Backoff backoff{seconds{1}, minutes{5}};
  EXPECT_EQ(backoff.pause(1), seconds{1});
  EXPECT_EQ(backoff.pause(2), seconds{2});
  EXPECT_EQ(backoff.pause(9), seconds{256});
  EXPECT_EQ(backoff.pause(10), minutes{5});
  EXPECT_EQ(backoff.pause(4'000'000'000U), minutes{5});
}

}  // namespace
}  // namespace liminal::http
