#include "core/learn/metrics.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"
#include "core/learn/test_scores.hpp"

namespace liminal::learn {
namespace {

/// Average precision by every threshold in turn.
double slow_precision(const std::vector<float>& scores, const std::vector<float>& y) {
  double sum = 0, all = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!is_positive(y[i])) continue;
    double found = 0, seen = 0;
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (scores[j] < scores[i]) continue;
      ++seen;
      found += is_positive(y[j]) ? 1 : 0;
    }
    sum += found / seen;
    ++all;
  }
  return sum / all;
}

RC_GTEST_PROP(Metrics, AreWhatAllPairsSay, (std::uint64_t seed)) {
  const TwoScores rows = made_up(seed, *rc::gen::inRange<std::size_t>(5, 80));
  RC_ASSERT(std::abs(roc_auc(rows.a, rows.y) - slow_auc(rows.a, rows.y)) < 1e-12);
  RC_ASSERT(std::abs(average_precision(rows.a, rows.y) - slow_precision(rows.a, rows.y)) < 1e-12);
}

TEST(Metrics, OfOneClassAreNotDefined) {
  const std::vector<float> scores{1, 2, 3}, labels{0, 0, 0};
  EXPECT_TRUE(std::isnan(roc_auc(scores, labels)));
  EXPECT_TRUE(std::isnan(average_precision(scores, labels)));
  EXPECT_TRUE(std::isnan(recall_at(scores, labels, .5)));
  EXPECT_TRUE(std::isnan(brier({}, {})));
}

TEST(Metrics, CountRecallWithinTheAlertBudget) {
  const std::vector<float> scores{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
      labels{1, 0, 1, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_DOUBLE_EQ(recall_at(scores, labels, .1), 1. / 3);
  EXPECT_DOUBLE_EQ(recall_at(scores, labels, .3), 2. / 3);
  EXPECT_DOUBLE_EQ(recall_at(scores, labels, 1), 1);
  EXPECT_DOUBLE_EQ(recall_at(std::vector<float>(10, 0.F), labels, .3), .3) << "ties share";
}

TEST(Metrics, OfCalibrationDoNotDependOnTheOrderOfRows) {
  std::vector<float> p(1000, .3F), y(1000, 0.F);
  for (std::size_t i = 0; i < 300; ++i) y[i] = 1;
  EXPECT_NEAR(calibration_error(p, y), 0, 1e-6);
  std::reverse(y.begin(), y.end());
  EXPECT_NEAR(calibration_error(p, y), 0, 1e-6);
}

TEST(Metrics, OfLossesAreTheirFormulas) {
  const std::vector<float> p{.9F, .2F}, y{1, 0};
  EXPECT_NEAR(brier(p, y), (.01 + .04) / 2, 1e-7);
  EXPECT_NEAR(log_loss(p, y), -(std::log(.9) + std::log(.8)) / 2, 1e-7);
  const std::vector<float> margins{std::log(9.F), -std::log(4.F)};
  EXPECT_NEAR(margin_log_loss(margins, y), log_loss(p, y), 1e-6);
  const std::vector<float> said{1, 5}, is{3, 4};
  EXPECT_DOUBLE_EQ(mean_absolute_error(said, is), 1.5);
  EXPECT_DOUBLE_EQ(root_mean_square_error(said, is), std::sqrt(2.5));
  EXPECT_DOUBLE_EQ(pinball(said, is, .9), (.9 * 2 + .1 * 1) / 2);
  EXPECT_DOUBLE_EQ(share_at_or_below(said, is), .5);
}

TEST(Metrics, FindNoCalibrationErrorWhereThereIsNone) {
  Random random(5);
  std::vector<float> p, y;
  for (int i = 0; i < 20'000; ++i) {
    p.push_back(static_cast<float>(random.uniform()));
    y.push_back(random.chance(static_cast<double>(p.back())) ? 1.F : 0.F);
  }
  EXPECT_LT(calibration_error(p, y), .01);
  for (float& value : p) value = .5F * value;
  EXPECT_GT(calibration_error(p, y), .2);
}

}  // namespace
}  // namespace liminal::learn
