#include "core/novelty/occupancy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace liminal::novelty {
namespace {

RC_GTEST_PROP(Occupancy, GapIsTheDistanceToTheNearestLevelSeen, ()) {
  std::array<std::uint64_t, Occupancy::kWords> words{};
  Occupancy levels(words);
  const auto marked =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(-20, 220)));
  for (const int cell : marked) levels.mark(cell);
  const int at = *rc::gen::inRange(-40, 260);

  const int inside = std::clamp(at, 0, Occupancy::kCells - 1);
  int expected = 1000;
  for (const int cell : marked)
    expected = std::min(expected, std::abs(std::clamp(cell, 0, Occupancy::kCells - 1) - inside));
  expected += std::abs(at - inside);

  RC_ASSERT(levels.gaps(at, 100).long_term ==
            std::min(Occupancy::kGapMax, static_cast<float>(expected) / 100));
  RC_ASSERT(levels.gaps(at, 100).short_term == levels.gaps(at, 100).long_term);
}

TEST(Occupancy, ForgetsALevelAfterTwoSwaps) {
  std::array<std::uint64_t, Occupancy::kWords> words{};
  Occupancy levels(words);
  levels.mark(100);
  levels.swap_short();
  levels.mark(10);
  EXPECT_EQ(levels.gaps(100, 1).short_term, 0);
  levels.swap_short();
  EXPECT_GT(levels.gaps(100, 1).short_term, 0);
  EXPECT_EQ(levels.gaps(100, 1).long_term, 0);
}

TEST(Occupancy, FindsTheNearestRunWithItsHoles) {
  std::array<std::uint64_t, Occupancy::kWords> words{};
  Occupancy levels(words);
  EXPECT_LT(levels.nearest_run(50, 3).high, levels.nearest_run(50, 3).low);
  for (const int cell : {0, 1, 4, 60, 63, 64, 191}) levels.mark(cell);
  const auto expect_run = [&](int cell, int low, int high) {
    EXPECT_EQ(levels.nearest_run(cell, 3).low, low) << cell;
    EXPECT_EQ(levels.nearest_run(cell, 3).high, high) << cell;
  };
  expect_run(2, 0, 4);
  expect_run(40, 60, 64);
  expect_run(64, 60, 64);
  expect_run(500, 191, 191);
  expect_run(-7, 0, 4);
}

TEST(Occupancy, RemapMovesEveryGeneration) {
  std::array<std::uint64_t, Occupancy::kWords> words{};
  Occupancy levels(words);
  levels.mark(10);
  levels.swap_long();
  levels.mark(20);
  levels.remap([](int cell) { return cell + 100; });
  EXPECT_EQ(levels.gaps(110, 1).long_term, 0);
  EXPECT_EQ(levels.gaps(120, 1).long_term, 0);
  EXPECT_EQ(levels.gaps(20, 1).long_term, Occupancy::kGapMax);
}

}  // namespace
}  // namespace liminal::novelty
