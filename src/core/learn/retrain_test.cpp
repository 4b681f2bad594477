#include "core/learn/retrain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal::learn {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kBegin{1'800'000'000s};  // 2027-01-15 08:00 UTC

RetrainFacts drifting() {
  RetrainFacts facts;
  facts.champion = true;
  facts.drifted = {"error_rate"};
  return facts;
}

TEST(Retraining, IsDueByTheClockOnceHoweverOftenItWasMissed) {
  Retraining retraining(kBegin);
  const RetrainOptions options;
  EXPECT_FALSE(retraining.due(options, {}, kBegin + 23h));
  const auto due = retraining.due(options, {}, kBegin + 24h);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->trigger, Trigger::kSchedule);
  const SteadyTime late = kBegin + 24h * 10;
  ASSERT_TRUE(retraining.due(options, {}, late));
  retraining.began(1, due, late);
  retraining.ended(1, true, true, late + 1min);
  EXPECT_FALSE(retraining.due(options, {}, late + 2min));
  EXPECT_EQ(retraining.next(options, late + 2min), late + 1min + 24h);
}

TEST(Retraining, IsDueAtATimeOfTheDay) {
  RetrainOptions options;
  options.daily_at = 3h + 30min;
  Retraining retraining(kBegin);  // at eight
  const SteadyTime at = kBegin + 19h + 30min;
  EXPECT_EQ(retraining.next(options, kBegin + 1h), at);
  EXPECT_FALSE(retraining.due(options, {}, at - 1ns));
  const auto due = retraining.due(options, {}, at);
  ASSERT_TRUE(due);
  retraining.began(1, due, at);
  retraining.ended(1, true, false, at + 5min);
  EXPECT_EQ(retraining.next(options, at + 6min), at + 24h);
}

TEST(Retraining, IsDueForAReasonOnlyWithAChampionAndAfterARest) {
  RetrainOptions options;
  options.every = {};
  Retraining retraining(kBegin);
  EXPECT_EQ(retraining.next(options, kBegin), std::nullopt);
  RetrainFacts facts = drifting();
  facts.champion = false;
  EXPECT_FALSE(retraining.due(options, facts, kBegin));
  EXPECT_TRUE(retraining.due(options, drifting(), kBegin));
  retraining.began(1, std::nullopt, kBegin);
  EXPECT_FALSE(retraining.due(options, drifting(), kBegin + 2h)) << "it has not ended";
  retraining.ended(1, true, true, kBegin + 5min);
  EXPECT_FALSE(retraining.due(options, drifting(), kBegin + 1h));
  const auto due = retraining.due(options, drifting(), kBegin + 65min);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->trigger, Trigger::kDrift);
  EXPECT_THAT(due->reason, testing::HasSubstr("error_rate"));
  facts = drifting();
  facts.under_way = true;
  EXPECT_FALSE(retraining.due(options, facts, kBegin + 65min));
}

TEST(Retraining, NamesTheMostUrgentReason) {
  Retraining retraining(kBegin);
  RetrainOptions options;
  RetrainFacts facts = drifting();
  facts.decayed = true;
  facts.feedback = 50;
  EXPECT_EQ(retraining.due(options, facts, kBegin)->trigger, Trigger::kDecay);
  options.decay = false;
  EXPECT_EQ(retraining.due(options, facts, kBegin)->trigger, Trigger::kDrift);
  options.drift = false;
  EXPECT_EQ(retraining.due(options, facts, kBegin)->trigger, Trigger::kFeedback);
  options.feedback = 0;
  EXPECT_FALSE(retraining.due(options, facts, kBegin));
}

TEST(Retraining, BacksOffTwiceAsLongWithEachFailureAndNotForever) {
  RetrainOptions options;
  options.retry_max = 1h;
  Retraining retraining(kBegin);
  SteadyTime now = kBegin + 24h;
  for (const Duration wait :
       {Duration{10min}, Duration{20min}, Duration{40min}, Duration{1h}, Duration{1h}}) {
    const auto due = retraining.due(options, {}, now);
    ASSERT_TRUE(due);
    retraining.refused(*due, "too few rows", now);
    EXPECT_EQ(retraining.not_before(options), now + wait);
    EXPECT_FALSE(retraining.due(options, drifting(), now + wait - 1s));
    now += wait;
  }
  retraining.began(7, retraining.due(options, {}, now), now);
  retraining.ended(7, true, false, now + 1min);
  EXPECT_EQ(retraining.failures(), 0U);
  EXPECT_EQ(retraining.next(options, now + 1min), now + 1min + 24h);
}

TEST(Retraining, RestsLongerWhenTrainingDoesNotHelp) {
  RetrainOptions options;
  options.every = {};
  Retraining retraining(kBegin);
  SteadyTime now = kBegin;
  for (std::uint64_t job = 1; job < 4; ++job) {
    retraining.began(job, retraining.due(options, drifting(), now), now);
    retraining.ended(job, true, false, now);
    const Duration rest = 1h * (1 << job);
    EXPECT_FALSE(retraining.due(options, drifting(), now + rest - 1s));
    now += rest;
    EXPECT_TRUE(retraining.due(options, drifting(), now));
  }
  retraining.began(4, retraining.due(options, drifting(), now), now);
  retraining.ended(4, true, true, now);
  EXPECT_TRUE(retraining.due(options, drifting(), now + 1h));
}

TEST(Retraining, AJumpOfTheClockIsNoHarm) {
  const RetrainOptions options;
  Retraining retraining(kBegin);
  retraining.began(1, std::nullopt, kBegin);
  retraining.ended(1, true, true, kBegin);
  // Back: what lies ahead counts as now, so it is due within a day of the clock that is.
  const SteadyTime back = kBegin - 24h * 365;
  EXPECT_FALSE(retraining.due(options, drifting(), back));
  retraining.clamp(back);
  EXPECT_EQ(retraining.last(), back);
  EXPECT_TRUE(retraining.due(options, {}, back + 24h));
  // Ahead: once.
  const SteadyTime ahead = kBegin + 24h * 3650;
  const auto due = retraining.due(options, {}, ahead);
  ASSERT_TRUE(due);
  retraining.began(2, due, ahead);
  retraining.ended(2, true, false, ahead);
  EXPECT_FALSE(retraining.due(options, {}, ahead + 1h));
}

TEST(Retraining, TakesNothingOfOtherJobs) {
  Retraining retraining(kBegin);
  retraining.began(5, std::nullopt, kBegin);
  retraining.ended(4, false, false, kBegin);
  EXPECT_FALSE(retraining.ended());
  retraining.ended(5, false, false, kBegin);
  EXPECT_TRUE(retraining.ended());
  EXPECT_EQ(retraining.failures(), 0U) << "a person began it";
}

// Whatever happens: never two at once, and never more often than the shortest wait allows.
RC_GTEST_PROP(Retraining,
              NeverBeginsTwoAtOnceNorTooOften,
              (const std::vector<std::uint8_t>& steps)) {
  const RetrainOptions options;
  Retraining retraining(kBegin);
  SteadyTime now = kBegin;
  std::uint64_t job = 0;
  std::optional<SteadyTime> last;
  for (const std::uint8_t step : steps) {
    now += std::chrono::minutes{step};
    RetrainFacts facts = drifting();
    facts.under_way = !retraining.ended();
    if (const auto due = retraining.due(options, facts, now)) {
      RC_ASSERT(retraining.ended());
      if (last) RC_ASSERT(now - *last >= options.retry);
      last = now;
      if (step % 3 == 0) {
        retraining.refused(*due, "no", now);
      } else {
        retraining.began(++job, due, now);
      }
    } else if (!retraining.ended()) {
      retraining.ended(job, step % 2 == 0, step % 4 == 0, now);
      last = now;
    }
    Writer out;
    retraining.save(out);
    Retraining read;
    Reader in(out.bytes());
    read.load(in);
    RC_ASSERT(in.at_end());
    Writer again;
    read.save(again);
    RC_ASSERT(again.bytes() == out.bytes());
    retraining = read;
  }
}

TEST(Retraining, RefusesNonsense) {
  Writer out;
  Retraining(kBegin).save(out);
  for (std::size_t cut = 0; cut < out.bytes().size(); ++cut) {
    Retraining read;
    Reader in(std::string_view(out.bytes()).substr(0, cut));
    read.load(in);
    EXPECT_FALSE(in.ok());
  }
}

TEST(RetrainOptions, NameAllThatIsWrong) {
  EXPECT_TRUE(RetrainOptions{}.validate().empty());
  RetrainOptions options;
  options.every = -1s;
  options.daily_at = 24h;
  options.retry = 0s;
  options.retry_max = -1s;
  EXPECT_EQ(options.validate().size(), 4U);
}

}  // namespace
}  // namespace liminal::learn
