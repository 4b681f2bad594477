#include "core/forecast/autoregression.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/forecast/products.hpp"

namespace liminal::forecast {
namespace {

std::vector<double> ones(std::size_t n) { return std::vector<double>(n, 1); }

Autoregression fit(const std::vector<double>& series,
                   std::vector<std::uint32_t> lags,
                   int iterations = 6) {
  Autoregression model{std::move(lags), {}, 0};
  AutoregressionFitter().fit(series, ones(series.size()), 1e-6, iterations, model);
  return model;
}

RC_GTEST_PROP(Products, AreThoseOfAPlainLoop, ()) {
  const auto values = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-1000, 1000));
  std::vector<double> a, b;
  double sum = 0;
  for (const int value : values) {
    a.push_back(value);
    b.push_back(value * .5 + 1);
    sum += a.back() * b.back();
  }
  // Whole and half numbers of this size add up exactly in any order.
  RC_ASSERT(dot(a.data(), b.data(), a.size()) == sum);
  const double* four[4] = {a.data(), b.data(), b.data(), a.data()};
  double out[4];
  dot4(a.data(), four, a.size(), out);
  RC_ASSERT(out[1] == sum && out[2] == sum && out[0] == dot(a.data(), a.data(), a.size()));
  std::vector<double> c = b, d(a.size());
  add_scaled(c.data(), 2, a.data(), a.size());
  multiply(d.data(), a.data(), b.data(), a.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    RC_ASSERT(c[i] == b[i] + 2 * a[i] && d[i] == a[i] * b[i]);
}

TEST(Autoregression, FindsTheLawOfASeries) {
  Random random(1);
  std::vector<double> z{0, 0};
  for (int t = 2; t < 2000; ++t)
    z.push_back(1 + .6 * z[z.size() - 1] + .2 * z[z.size() - 2] + random.uniform(-1, 1));
  const Autoregression model = fit(z, {1, 2}, 0);
  EXPECT_NEAR(model.weights[0], .6, .05);
  EXPECT_NEAR(model.weights[1], .2, .05);
  EXPECT_NEAR(model.intercept / (1 - model.weights[0] - model.weights[1]), 5, .3);
}

TEST(Autoregression, IsMovedLessByOutliersThanLeastSquares) {
  Random random(2);
  std::vector<double> z{0};
  for (int t = 1; t < 1000; ++t) z.push_back(.8 * z.back() + random.uniform(-1, 1));
  for (std::size_t t = 50; t < 1000; t += 97) z[t] += 12;
  const double least_squares = fit(z, {1}, 0).weights[0], robust = fit(z, {1}).weights[0];
  EXPECT_LT(least_squares, .6);
  EXPECT_LT(std::abs(robust - .8), .5 * std::abs(least_squares - .8));
}

TEST(Autoregression, LeavesOutPointsWithoutWeight) {
  std::vector<double> z{1};
  for (int t = 1; t < 100; ++t) z.push_back(.9 * z.back() + .1 * (t % 3));
  Autoregression all{{1, 3}, {}, 0};
  Autoregression without = all;
  AutoregressionFitter fitter;
  std::vector<double> weights = ones(100);
  fitter.fit(z, weights, 1e-6, 3, all);
  // What is wrong with a target does not matter once neither it nor a lag of a weighted row is it.
  for (const std::size_t t : {99U}) weights[t] = 0, z[t] = 1e6;
  fitter.fit(z, weights, 1e-6, 3, without);
  EXPECT_NEAR(all.weights[0], without.weights[0], 1e-3);
}

TEST(Autoregression, StaysFiniteForConstantAndCollinearSeries) {
  for (const auto& z : {std::vector<double>(50, 3), std::vector<double>(50, 0)}) {
    const Autoregression model = fit(z, {1, 2, 3});
    std::vector<double> out(20);
    model.continue_from(z, out);
    for (const double value : out) EXPECT_NEAR(value, z[0], 1e-6);
  }
  std::vector<double> alternating;
  for (int t = 0; t < 60; ++t) alternating.push_back(t % 2);
  std::vector<double> out(4);
  fit(alternating, {1, 2, 3, 4}).continue_from(alternating, out);
  for (int h = 0; h < 4; ++h) EXPECT_NEAR(out[static_cast<std::size_t>(h)], h % 2, 1e-3);
}

TEST(Autoregression, SaysItsMeanWithoutRows) {
  const Autoregression model = fit({1, 2, 3}, {5});
  std::vector<double> out(2);
  model.continue_from(std::vector<double>{1, 2, 3}, out);
  EXPECT_EQ(out, (std::vector<double>{2, 2}));
}

}  // namespace
}  // namespace liminal::forecast
