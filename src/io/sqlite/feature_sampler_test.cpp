#include "io/sqlite/feature_sampler.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

namespace liminal::sqlite {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SteadyTime at(Duration since_start) { return SteadyTime{std::chrono::hours{1} + since_start}; }

TEST(FeatureSampler, TakesAUserOncePerInterval) {
  FeatureSampler sampler({.user_interval = seconds{10}, .rows_per_second = 1000});
  EXPECT_TRUE(sampler.take(7, at(seconds{0})));
  EXPECT_FALSE(sampler.take(7, at(seconds{10} - Duration{1})));
  EXPECT_TRUE(sampler.take(7, at(seconds{10})));
  EXPECT_EQ(sampler.taken(), 2u);
  EXPECT_EQ(sampler.thinned(), 1u);
}

TEST(FeatureSampler, TakesNoMoreThanASecondHolds) {
  FeatureSampler sampler({.user_interval = seconds{10}, .rows_per_second = 3});
  for (std::uint64_t user = 1; user <= 3; ++user) EXPECT_TRUE(sampler.take(user, at(seconds{0})));
  EXPECT_FALSE(sampler.take(4, at(milliseconds{999})));
  EXPECT_TRUE(sampler.take(4, at(seconds{1})));
}

TEST(FeatureSampler, ARowThatWasThinnedDoesNotDelayItsUser) {
  FeatureSampler sampler({.user_interval = seconds{10}, .rows_per_second = 1});
  EXPECT_TRUE(sampler.take(1, at(seconds{0})));
  EXPECT_FALSE(sampler.take(2, at(seconds{0})));
  EXPECT_TRUE(sampler.take(2, at(seconds{1})));
}

TEST(FeatureSampler, TimeThatGoesBackStandsStill) {
  FeatureSampler sampler({.user_interval = seconds{10}, .rows_per_second = 1000});
  EXPECT_TRUE(sampler.take(1, at(seconds{60})));
  EXPECT_FALSE(sampler.take(1, at(seconds{0})));
  EXPECT_TRUE(sampler.take(2, at(seconds{0})));
  EXPECT_FALSE(sampler.take(2, at(seconds{69})));
}

TEST(FeatureSampler, KeepsItsMemoryWhateverTheNumberOfUsers) {
  FeatureSampler sampler({});
  for (std::uint64_t user = 0; user < 200'000; ++user)
    (void)sampler.take(user, at(Duration{milliseconds{1}} * static_cast<std::int64_t>(user) / 10));
  EXPECT_LE(sampler.memory_bytes(), 1u << 20);
  EXPECT_EQ(sampler.taken(), 20'000u);  // 20 s of 10,000 users each
}

TEST(FeatureSampler, NamesAllProblemsOfItsOptions) {
  EXPECT_TRUE(FeatureSampler::validate({}).empty());
  EXPECT_EQ(FeatureSampler::validate({.user_interval = {}, .rows_per_second = 0}).size(), 2u);
  EXPECT_EQ(FeatureSampler::validate({.user_interval = seconds{3600}, .rows_per_second = 1000})
                .front()
                .key,
            "rows_per_second");
}

RC_GTEST_PROP(FeatureSampler, KeepsBothBoundsAndWastesNothing, ()) {
  const FeatureSampler::Options options{.user_interval = seconds{*rc::gen::inRange(1, 5)},
                                        .rows_per_second = *rc::gen::inRange(1u, 6u)};
  FeatureSampler sampler(options);
  struct Taken {
    std::uint64_t user;
    SteadyTime time;
  };
  std::vector<Taken> taken;
  SteadyTime now = at(seconds{0});
  const auto steps = *rc::gen::container<std::vector<std::pair<int, std::uint64_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 700), rc::gen::inRange<std::uint64_t>(0, 12)));
  for (const auto& [pause_ms, user] : steps) {
    now += milliseconds{pause_ms};
    // The slow, exact reference: what the guarantee says, counted over all that was taken.
    std::size_t in_second = 0;
    bool seen = false;
    for (const Taken& row : taken) {
      if (now - row.time < seconds{1}) ++in_second;
      seen = seen || (row.user == user && now - row.time < options.user_interval);
    }
    const bool expected = !seen && in_second < options.rows_per_second;
    RC_ASSERT(sampler.take(user, now) == expected);
    if (expected) taken.push_back({user, now});
  }
}

}  // namespace
}  // namespace liminal::sqlite
