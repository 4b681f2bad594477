#include "core/learn/calibration_bias.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {
namespace {

struct Rows {
  std::vector<float> said, is;
  std::vector<std::uint64_t> users;
};

/// Users with `each` rows of one label: an abuser's rows are all abuse. `p` is calibrated, a fifth
/// on average; what is said is `times` that.
Rows users_of(std::uint64_t seed, std::uint64_t users, int each, double times) {
  Random random(seed);
  Rows rows;
  for (std::uint64_t user = 0; user < users; ++user) {
    const double u = random.uniform(), p = u * u * u * u;
    const bool positive = random.chance(p);
    for (int i = 0; i < each; ++i) {
      rows.said.push_back(static_cast<float>(times * p));
      rows.is.push_back(positive ? 1 : 0);
      rows.users.push_back(user);
    }
  }
  return rows;
}

bool refuses(const CalibrationBias& bias) { return bias.low > 0 || bias.high < 0; }

/// The test as it is where every row counts as one of its own, and the share's error alone.
bool refused_by_rows(const Rows& rows) {
  const auto n = static_cast<double>(rows.is.size());
  const double share = static_cast<double>(positives(rows.is)) / n;
  double mean = 0;
  for (const float p : rows.said) mean += double{p} / n;
  return std::abs(mean - share) > 1.96 * std::sqrt(share * (1 - share) / n);
}

struct Refused {
  int by_users = 0, by_rows = 0, by_share = 0;
};
constexpr int kTrials = 400;

Refused refused(double times) {
  Refused count;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Rows rows = users_of(static_cast<std::uint64_t>(trial) + 1, 120, 10, times);
    count.by_users += refuses(calibration_bias(rows.said, rows.is, rows.users));
    count.by_rows += refuses(calibration_bias(rows.said, rows.is, {}));
    count.by_share += refused_by_rows(rows);
  }
  return count;
}

// At a nominal 5 % of 400 trials: 20, deviation 4.4; outside of 6 to 36 with a chance below .001.
TEST(CalibrationBias, OfUsersWhoseRowsAreAlikeHoldsItsLevelWhereRowsAloneDoNot) {
  const Refused count = refused(1);
  EXPECT_GE(count.by_users, 6);
  EXPECT_LE(count.by_users, 36);
  EXPECT_GT(count.by_rows, kTrials / 4) << "calibrated, and refused all the same";
  EXPECT_GT(count.by_share, kTrials / 4);
}

TEST(CalibrationBias, IsFoundWhereThereAreUsersEnough) {
  EXPECT_GT(refused(.4).by_users, kTrials * 8 / 10);
}

TEST(CalibrationBias, ByRowsOfTheirOwnIsThatOfUsersWithOneRow) {
  const Rows rows = users_of(3, 200, 1, 1.1);
  const CalibrationBias by_users = calibration_bias(rows.said, rows.is, rows.users);
  const CalibrationBias by_rows = calibration_bias(rows.said, rows.is, {});
  EXPECT_EQ(by_users.low, by_rows.low);
  EXPECT_EQ(by_users.users, static_cast<double>(positives(rows.is)));
}

// What is said of ordinary rows is too much by half of all positives. Of a model that tells them
// apart so well the share's own error is far too wide.
TEST(CalibrationBias, OfASharpModelIsSeenWhereTheShareAloneIsBlind) {
  Rows rows;
  for (std::uint64_t user = 0; user < 200; ++user) {
    rows.is.push_back(user < 20 ? 1 : 0);
    rows.said.push_back(user < 20 ? .9F : .07F);
    rows.users.push_back(user);
  }
  const CalibrationBias bias = calibration_bias(rows.said, rows.is, rows.users);
  EXPECT_NEAR(bias.ratio, .53, 1e-6);
  EXPECT_GT(bias.low, .25);
  const double share = .1, error = std::sqrt(share * (1 - share) / 200);
  EXPECT_LT(bias.ratio - 2 * error / share, .25);
}

TEST(CalibrationBias, OfTooFewUsersIsNotKnown) {
  Rows rows;
  for (std::uint64_t row = 0; row < 600; ++row) {
    rows.users.push_back(row / 20);
    rows.is.push_back(row < 120 ? 1 : 0);
    rows.said.push_back(row < 120 ? .9F : .02F);
  }
  EXPECT_EQ(calibration_bias(rows.said, rows.is, rows.users).users, 6);
  EXPECT_FALSE(calibration_bias(rows.said, rows.is, rows.users).known());
  EXPECT_TRUE(calibration_bias(rows.said, rows.is, {}).known());
  for (std::uint64_t row = 120; row < 140; ++row) rows.is[row] = 1;
  EXPECT_TRUE(calibration_bias(rows.said, rows.is, rows.users).known());
}

TEST(CalibrationBias, WithoutPositivesIsNoNumber) {
  const std::vector<float> said{.1F, .2F}, is{0, 0};
  const CalibrationBias bias = calibration_bias(said, is, {});
  EXPECT_TRUE(std::isnan(bias.ratio));
  EXPECT_FALSE(bias.known());
  EXPECT_FALSE(calibration_bias({}, {}, {}).known());
}

RC_GTEST_PROP(CalibrationBias, LiesWithinItsIntervalInWhateverOrderTheRowsCome, ()) {
  Rows rows = users_of(*rc::gen::inRange<std::uint64_t>(1, 1000), 80, 3, 1);
  const CalibrationBias bias = calibration_bias(rows.said, rows.is, rows.users);
  RC_PRE(bias.known());
  RC_ASSERT(bias.low <= bias.ratio && bias.ratio <= bias.high);
  for (auto* const values : {&rows.said, &rows.is}) std::reverse(values->begin(), values->end());
  std::reverse(rows.users.begin(), rows.users.end());
  RC_ASSERT(std::abs(calibration_bias(rows.said, rows.is, rows.users).low - bias.low) < 1e-9);
}

}  // namespace
}  // namespace liminal::learn
