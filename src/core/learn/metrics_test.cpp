#include "core/learn/metrics.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

struct Rows {
  std::vector<float> a, b, y;
};

/// Two related scores with ties, both classes at least twice.
Rows made_up(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  Rows made;
  for (std::size_t i = 0; i < rows; ++i) {
    const bool positive = i < 2 || (i >= 4 && random.chance(.3));
    const double level = random.normal() + (positive ? 1 : 0);
    made.a.push_back(static_cast<float>(std::round(4 * (level + .3 * random.normal()))) / 4);
    made.b.push_back(static_cast<float>(std::round(4 * (level + .8 * random.normal()))) / 4);
    made.y.push_back(positive ? 1.F : 0.F);
  }
  return made;
}

double kernel(float positive, float negative) {
  return positive > negative ? 1 : positive == negative ? .5 : 0;
}

/// By all pairs.
double slow_auc(const std::vector<float>& scores, const std::vector<float>& y) {
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (!is_positive(y[i]) || is_positive(y[j])) continue;
      sum += kernel(scores[i], scores[j]);
      ++pairs;
    }
  }
  return sum / pairs;
}

/// DeLong's variance of the difference, from the kernel of all pairs.
double slow_variance(const Rows& rows) {
  double parts = 0;
  for (const bool positive : {true, false}) {
    std::vector<double> v;
    for (std::size_t i = 0; i < rows.y.size(); ++i) {
      if (is_positive(rows.y[i]) != positive) continue;
      double sum = 0, count = 0;
      for (std::size_t j = 0; j < rows.y.size(); ++j) {
        if (is_positive(rows.y[j]) == positive) continue;
        const std::size_t p = positive ? i : j, n = positive ? j : i;
        sum += kernel(rows.b[p], rows.b[n]) - kernel(rows.a[p], rows.a[n]);
        ++count;
      }
      v.push_back(sum / count);
    }
    double mean = 0, squares = 0;
    const auto n = static_cast<double>(v.size());
    for (const double x : v) mean += x / n;
    for (const double x : v) squares += (x - mean) * (x - mean);
    parts += squares / (n - 1) / n;
  }
  const auto m = static_cast<double>(positives(rows.y));
  const double pairs = m * (static_cast<double>(rows.y.size()) - m);
  return parts > 0 ? parts : .5 / (pairs * pairs);  // of one tied pair
}

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
  const Rows rows = made_up(seed, *rc::gen::inRange<std::size_t>(5, 80));
  RC_ASSERT(std::abs(roc_auc(rows.a, rows.y) - slow_auc(rows.a, rows.y)) < 1e-12);
  RC_ASSERT(std::abs(average_precision(rows.a, rows.y) - slow_precision(rows.a, rows.y)) < 1e-12);
  const PairedAuc paired = delong(rows.a, rows.b, rows.y);
  RC_ASSERT(std::abs(paired.challenger - slow_auc(rows.b, rows.y)) < 1e-12);
  RC_ASSERT(std::abs(paired.variance - slow_variance(rows)) < 1e-12);
}

TEST(Metrics, OfOneClassAreNotDefined) {
  const std::vector<float> scores{1, 2, 3}, labels{0, 0, 0};
  EXPECT_TRUE(std::isnan(roc_auc(scores, labels)));
  EXPECT_TRUE(std::isnan(average_precision(scores, labels)));
  EXPECT_TRUE(std::isnan(recall_at(scores, labels, .5)));
  EXPECT_TRUE(std::isnan(delong(scores, scores, labels).z));
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

// With an exact variance of zero what decided was how a mean of ones was rounded.
TEST(Delong, TellsAPerfectModelFromChanceWhateverTheNumberOfRows) {
  for (const std::size_t positive : {2U, 10U, 49U, 64U, 100U}) {
    std::vector<float> perfect, constant, labels;
    for (std::size_t i = 0; i < 3 * positive; ++i) {
      labels.push_back(i < positive ? 1.F : 0.F);
      perfect.push_back(labels.back());
      constant.push_back(.5F);
    }
    const PairedAuc test = delong(constant, perfect, labels);
    EXPECT_NEAR(test.difference, .5, 1e-12);
    EXPECT_GT(test.z, 3) << positive;
    EXPECT_LT(test.z, 1e6) << positive;
    EXPECT_EQ(delong(perfect, perfect, labels).z, 0);
  }
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

// 1,000 pairs of equally good scores: at z > 1.645 one in twenty is called better; the deviation of
// that share is .007, so it lies in .03–.07 but for one seed in 300.
TEST(Delong, CallsOneEqualChallengerInTwentyBetter) {
  Random random(11);
  int better = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    Rows rows;
    for (int i = 0; i < 400; ++i) {
      const double level = random.normal() + (i % 4 == 0 ? 1.5 : 0);
      rows.y.push_back(i % 4 == 0 ? 1.F : 0.F);
      rows.a.push_back(static_cast<float>(level + .5 * random.normal()));
      rows.b.push_back(static_cast<float>(level + .5 * random.normal()));
    }
    better += delong(rows.a, rows.b, rows.y).z > 1.645;
  }
  EXPECT_GE(better, 30);
  EXPECT_LE(better, 70);
}

// What positives_needed promises: with that many, a true difference is told in about eight of ten.
TEST(Delong, TellsADifferenceWithAsManyPositivesAsItSaidItNeeds) {
  Random random(3);
  const auto draw = [&](std::size_t positives) {
    Rows rows;
    for (std::size_t i = 0; i < 4 * positives; ++i) {
      const double level = random.normal() + (i % 4 == 0 ? 1.5 : 0);
      rows.y.push_back(i % 4 == 0 ? 1.F : 0.F);
      rows.a.push_back(static_cast<float>(level + .5 * random.normal()));
      rows.b.push_back(static_cast<float>(level + .35 * random.normal()));
    }
    return rows;
  };
  const Rows large = draw(20'000);
  const PairedAuc truth = delong(large.a, large.b, large.y);
  const double needed = positives_needed(truth, truth.difference);
  int told = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const Rows rows = draw(static_cast<std::size_t>(needed));
    told += delong(rows.a, rows.b, rows.y).z > 1.645;
  }
  EXPECT_NEAR(told / 200., .8, .1);
}

TEST(NormalQuantile, IsTheTablesOne) {
  EXPECT_NEAR(normal_tail_quantile(.5), 0, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.2), .8416212336, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.05), 1.6448536270, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.025), 1.9599639845, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(1e-9), 5.9978070150, 1e-8);
}

TEST(PairedBootstrap, AgreesWithDelong) {
  const Rows rows = made_up(21, 600);
  const Measure auc = [](auto scores, auto labels) { return roc_auc(scores, labels); };
  const PairedBootstrap found = paired_bootstrap(auc, rows.b, rows.a, rows.y, 400, 1);
  const PairedAuc exact = delong(rows.b, rows.a, rows.y);
  EXPECT_NEAR(found.difference, exact.difference, 1e-12);
  const double half = 1.645 * std::sqrt(exact.variance);
  EXPECT_NEAR(found.low, exact.difference - half, .3 * half);
  EXPECT_NEAR(found.high, exact.difference + half, .3 * half);
  EXPECT_LT(found.worse, .05);
  EXPECT_EQ(paired_bootstrap(auc, rows.b, rows.a, rows.y, 400, 1).low, found.low);
}

}  // namespace
}  // namespace liminal::learn
