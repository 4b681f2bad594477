#include "core/learn/stretches.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/learn/test_minutes.hpp"

namespace liminal::learn {
namespace {

std::vector<double> minutes(std::size_t count) {
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) times.push_back(60 * static_cast<double>(i));
  return times;
}

TEST(Stretches, AreAsLongAsTheyMayBe) {
  EXPECT_EQ(Stretches(minutes(0), 30).count, 0U);
  EXPECT_EQ(Stretches(minutes(20), 30).count, 1U);
  EXPECT_EQ(Stretches(minutes(120), 30).count, 4U);
  EXPECT_EQ(Stretches(minutes(150), 30).count, 5U);
  EXPECT_EQ(Stretches(minutes(60), 10).count, 5U);
  EXPECT_EQ(Stretches(minutes(360), 30).count, 8U);
  EXPECT_EQ(Stretches(minutes(40'000), 30).count, 16U);
}

RC_GTEST_PROP(Stretches, PartRowsByTimeIntoEqualParts, ()) {
  const auto times = *rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(0, 100), [](int s) { return double(s); }));
  RC_PRE(!times.empty());
  const Stretches parts(times, 10);
  std::vector<std::size_t> rows(parts.count);
  for (std::size_t i = 0; i < times.size(); ++i) {
    RC_ASSERT(parts.of[i] < parts.count);
    ++rows[parts.of[i]];
    for (std::size_t k = 0; k < times.size(); ++k)
      RC_ASSERT(times[i] >= times[k] || parts.of[i] <= parts.of[k]);
  }
  const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
  RC_ASSERT(*most - *least <= 1U);
}

TEST(Stretches, AreWidenedByWhatNeighboursShare) {
  const Stretches parts(minutes(720), 30);
  ASSERT_EQ(parts.count, 16U);
  std::vector<double> turning, lasting;
  for (const std::uint64_t part : parts.of) {
    turning.push_back(part % 2 == 0 ? 1 : -1);
    lasting.push_back(part < 8 ? 1 : -1);
  }
  EXPECT_NEAR(parts.widening(turning), std::sqrt(16. / 15), 1e-12);
  EXPECT_NEAR(parts.widening(lasting), std::sqrt(16. / 15 * (1 + 2 * (13. / 16 + 1. / 16))), 1e-12);
  EXPECT_NEAR(parts.widening(std::vector<double>(720)), std::sqrt(16. / 15), 1e-12);
}

}  // namespace
}  // namespace liminal::learn
