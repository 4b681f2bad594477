#include "core/learn/calibrate.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/random.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {
namespace {

struct Rows {
  std::vector<float> margins, labels;
};

/// Labels drawn with the probability that `truth` gives each margin.
template <class Truth>
Rows drawn(std::uint64_t seed, int rows, Truth truth) {
  Random random(seed);
  Rows made;
  for (int i = 0; i < rows; ++i) {
    made.margins.push_back(static_cast<float>(2 * random.normal()));
    made.labels.push_back(random.chance(truth(static_cast<double>(made.margins.back()))) ? 1.F
                                                                                         : 0.F);
  }
  return made;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Platt, FindsTheCurveThatLabelsWereDrawnFrom) {
  const Rows rows = drawn(1, 40'000, [](double m) { return logistic(.5 * m - 1); });
  const Platt found = fit_platt(rows.margins, rows.labels);
  EXPECT_NEAR(found.slope, .5, .03);
  EXPECT_NEAR(found.intercept, -1, .05);
  EXPECT_NEAR(found.probability(2), .5, .02);
}

TEST(Platt, OfMarginsThatPointTheWrongWayIsAConstant) {
  const Rows rows = drawn(1, 1000, [](double m) { return logistic(-m); });
  EXPECT_EQ(fit_platt(rows.margins, rows.labels).slope, 0);
  const std::vector<float> margins{1, 2, 3}, none{0, 0, 0};
  EXPECT_NEAR(fit_platt(margins, none).probability(7), 1. / 5, 1e-9);
}

// Perfect separation has no finite maximum without Platt's targets.
TEST(Platt, StaysFiniteOnSeparatedRows) {
  const std::vector<float> margins{-2, -1, 1, 2}, labels{0, 0, 1, 1};
  const Platt found = fit_platt(margins, labels);
  EXPECT_TRUE(std::isfinite(found.slope) && std::isfinite(found.intercept));
  EXPECT_LT(found.probability(2), .99);
}

RC_GTEST_PROP(Platt, NeverFitsWorseThanTheMarginsThemselves, (std::uint64_t seed)) {
  Random random(seed);
  const double slope = random.uniform(.2, 2), intercept = random.uniform(-1, 1);
  const Rows rows = drawn(seed, 400, [&](double m) { return logistic(slope * m + intercept); });
  const Platt found = fit_platt(rows.margins, rows.labels);
  std::vector<float> moved;
  for (const float m : rows.margins) {
    moved.push_back(static_cast<float>(found.slope * static_cast<double>(m) + found.intercept));
  }
  RC_ASSERT(margin_log_loss(moved, rows.labels) <=
            margin_log_loss(rows.margins, rows.labels) + 1e-3);
}

TEST(BetaCurve, BendsOneEndByItself) {
  const Beta truth{2, .3, .5};
  const Rows rows = drawn(2, 60'000, [&](double m) { return truth.probability(m); });
  const Beta beta = fit_beta(rows.margins, rows.labels);
  EXPECT_NEAR(beta.a, truth.a, .1);
  EXPECT_NEAR(beta.b, truth.b, .05);
  EXPECT_NEAR(beta.c, truth.c, .1);
  const Platt platt = fit_platt(rows.margins, rows.labels);
  std::vector<float> by_beta, by_platt;
  for (const float m : rows.margins) {
    by_beta.push_back(static_cast<float>(beta.probability(static_cast<double>(m))));
    by_platt.push_back(static_cast<float>(platt.probability(static_cast<double>(m))));
  }
  EXPECT_LT(log_loss(by_beta, rows.labels), log_loss(by_platt, rows.labels) - .001);
}

TEST(BetaCurve, NeverFalls) {
  const Rows rows = drawn(3, 2000, [](double m) { return logistic(-m); });
  const Beta beta = fit_beta(rows.margins, rows.labels);
  for (double m = -5; m < 5; m += .5) EXPECT_LE(beta.probability(m), beta.probability(m + .5));
}

// 400 repetitions at coverage .9 of 99 residuals: the mean coverage is .9 with deviation .0015.
TEST(Conformal, CoversAsOftenAsItSays) {
  Random random(9);
  double covered = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<float> said(99, 0.F), is;
    for (int i = 0; i < 99; ++i) is.push_back(static_cast<float>(random.exponential()));
    const double half = conformal_half_width(said, is, .9);
    covered += 1 - std::exp(-half);
  }
  EXPECT_NEAR(covered / 400, .9, .01);
}

TEST(Conformal, IsInfiniteWhenRowsAreTooFew) {
  const std::vector<float> said{0, 0}, is{1, 2};
  EXPECT_TRUE(std::isinf(conformal_half_width(said, is, .9)));
  EXPECT_EQ(conformal_half_width(said, is, .5), 2);
}

}  // namespace
}  // namespace liminal::learn
