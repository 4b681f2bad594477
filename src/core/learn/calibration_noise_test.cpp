#include "core/learn/calibration_noise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/learn/metrics.hpp"
#include "core/learn/test_users.hpp"

namespace liminal::learn {
namespace {

constexpr int kTrials = 40;
constexpr double kLine = .05;  ///< the gate's

struct Refused {
  int by_line = 0, beyond_noise = 0;
};

/// Of so many first models of `users`, how many the average error by bins refuses.
Refused refused(std::uint64_t users, bool alike, Wrong wrong) {
  Refused count;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
    const UserRows rows = probable_users(1000 * users + trial, users, alike, wrong);
    const double error = calibration_error(rows.challenger, rows.labels);
    if (error <= kLine) continue;
    ++count.by_line;
    count.beyond_noise +=
        error > calibration_noise(rows.challenger, rows.labels, rows.users, trial);
  }
  return count;
}

// At a nominal 5 % of 40 trials: 2, deviation 1.4. The line alone refuses most; of 500 trials each
// `bench/promotion`.
TEST(CalibrationNoise, KeepsRightProbabilitiesOfFewUsersFromBeingRefused) {
  const Refused count = refused(60, true, Wrong::kNot);
  EXPECT_LE(count.beyond_noise, 7);
  EXPECT_GT(count.by_line, kTrials * 6 / 10);
}

TEST(CalibrationNoise, LeavesWrongOnesToBeFound) {
  EXPECT_GE(refused(120, true, Wrong::kTwice).beyond_noise, kTrials * 8 / 10);
  EXPECT_GE(refused(120, true, Wrong::kTimid).beyond_noise, kTrials * 4 / 10);
}

TEST(CalibrationNoise, OfRowsThatAreNotAlikeIsSmall) {
  EXPECT_GE(refused(60, false, Wrong::kTimid).beyond_noise, kTrials * 9 / 10);
}

TEST(CalibrationNoise, DoesNotDependOnTheOrderOfRowsOfOneProbability) {
  std::vector<float> said(1000, .3F), is(1000, 0.F);
  std::fill(is.begin(), is.begin() + 300, 1.F);
  std::vector<std::uint64_t> users(1000);
  for (std::size_t row = 0; row < users.size(); ++row) users[row] = row;
  const double noise = calibration_noise(said, is, users, 1);
  // A mean of 1,000 rows: 1.96 deviations of it.
  EXPECT_NEAR(noise, 1.96 * std::sqrt(.21 / 1000), .005);
  EXPECT_EQ(noise, calibration_noise(said, is, users, 1));
}

TEST(CalibrationNoise, OfThreeUsersIsNotKnown) {
  const std::vector<float> said{.5F, .5F, .5F, .5F}, is{1, 1, 1, 0};
  const std::vector<std::uint64_t> users{1, 2, 3, 4};
  EXPECT_TRUE(std::isinf(calibration_noise(said, is, users, 1)));
  EXPECT_FALSE(std::isinf(calibration_noise(said, is, {}, 1)));
}

}  // namespace
}  // namespace liminal::learn
