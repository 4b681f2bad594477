#include "core/scaling/ridge.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "core/base/random.hpp"

namespace liminal::scaling {
namespace {

TEST(Ridge, FindsALineAndForgetsItForTheNextOne) {
  Ridge ridge(3);
  Random random(1);
  const auto teach = [&](double a, double b, double c) {
    for (int i = 0; i < 2000; ++i) {
      const std::array<float, 3> x{
          1, static_cast<float>(random.normal()), static_cast<float>(random.normal())};
      ridge.add(x, a + b * static_cast<double>(x[1]) + c * static_cast<double>(x[2]));
      ridge.decay(.99);
    }
    ridge.solve(1e-9);
  };
  for (const auto& [a, b, c] : {std::array{2., -1., .5}, std::array{-3., 4., 0.}}) {
    teach(a, b, c);
    EXPECT_NEAR(ridge.coefficients()[0], a, 1e-4);
    EXPECT_NEAR(ridge.coefficients()[1], b, 1e-4);
    EXPECT_NEAR(ridge.coefficients()[2], c, 1e-4);
  }
}

TEST(Ridge, EqualColumnsAndFadedWeightsStayFinite) {
  Ridge ridge(3);
  const std::array<float, 3> x{1, 2, 2};
  for (int i = 0; i < 50; ++i) ridge.add(x, 5);
  ridge.solve(1e-4);
  EXPECT_NEAR(ridge.predict(x), 5, 1e-3);
  for (int i = 0; i < 3000; ++i) ridge.decay(.5);
  ridge.solve(1e-4);
  for (const double coefficient : ridge.coefficients()) EXPECT_TRUE(std::isfinite(coefficient));
}

}  // namespace
}  // namespace liminal::scaling
