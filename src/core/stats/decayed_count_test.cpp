#include "core/stats/decayed_count.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

constexpr Duration kTimeConstant = std::chrono::seconds{60};

RC_GTEST_PROP(DecayedCount, IsTheSumByDefinition, (std::uint64_t seed)) {
  Random random(seed);
  DecayedCount count;
  std::vector<std::pair<SteadyTime, double>> all;
  SteadyTime now{std::chrono::hours{1}};
  for (std::uint64_t i = random.below(100); i > 0; --i) {
    if (random.chance(.7)) now += from_seconds(random.exponential() * 30);
    all.emplace_back(now, random.uniform());
    count.add(now, kTimeConstant, all.back().second);
  }
  now += from_seconds(random.uniform(0, 100));
  double exact = 0;
  for (const auto& [time, weight] : all)
    exact += weight * std::exp(-seconds(now - time) / seconds(kTimeConstant));
  RC_ASSERT(std::abs(count.read(now, kTimeConstant) - exact) <= 1e-10 * exact);
}

TEST(DecayedCount, ForgetsNothingWhenTimeStandsStillOrGoesBack) {
  DecayedCount count;
  const SteadyTime now{std::chrono::hours{1}};
  count.add(now, kTimeConstant);
  count.add(now - std::chrono::minutes{5}, kTimeConstant);
  EXPECT_EQ(count.read(now, kTimeConstant), 2);
  EXPECT_EQ(count.read(now - std::chrono::minutes{1}, kTimeConstant), 2);
  EXPECT_EQ(count.read(now + std::chrono::hours{24 * 365}, kTimeConstant), 0);
}

TEST(DecayedCount, SurvivesASnapshotAndRefusesNonsense) {
  DecayedCount count, read;
  count.add(SteadyTime{std::chrono::hours{1}}, kTimeConstant, 3);
  Writer out;
  count.save(out);
  Reader in(out.bytes());
  read.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(read.read(SteadyTime{std::chrono::hours{1}}, kTimeConstant), 3);

  Writer wrong;
  wrong.put(std::nan(""));
  wrong.put(std::int64_t{0});
  Reader refused(wrong.bytes());
  read.load(refused);
  EXPECT_FALSE(refused.ok());
}

}  // namespace
}  // namespace liminal::stats
