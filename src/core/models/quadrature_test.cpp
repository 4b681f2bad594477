#include "core/models/quadrature.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace liminal::models {
namespace {

TEST(Quadrature, IntegratesPolynomialsOfTwiceItsPoints) {
  for (const std::size_t count : {1U, 2U, 3U, 7U, 32U, 255U, 256U}) {
    const Quadrature rule = gauss_legendre(count);
    for (const std::size_t degree : {std::size_t{0}, std::size_t{1}, count, 2 * count - 1}) {
      double sum = 0;
      double mirrored = 0;
      for (std::size_t i = 0; i < count; ++i) {
        sum += rule.weights[i] * std::pow(rule.points[i], static_cast<double>(degree));
        mirrored += rule.weights[i] * std::pow(1 - rule.points[i], static_cast<double>(degree));
      }
      const double exact = 1 / static_cast<double>(degree + 1);
      EXPECT_NEAR(sum, exact, 1e-13) << count << " points, degree " << degree;
      EXPECT_NEAR(mirrored, exact, 1e-13) << count << " points, degree " << degree;
    }
  }
}

TEST(Quadrature, PointsRiseBetweenZeroAndOne) {
  for (std::size_t count = 1; count <= 256; ++count) {
    const Quadrature rule = gauss_legendre(count);
    EXPECT_GT(rule.points.front(), 0);
    EXPECT_LT(rule.points.back(), 1);
    for (std::size_t i = 1; i < count; ++i) EXPECT_LT(rule.points[i - 1], rule.points[i]);
  }
}

}  // namespace
}  // namespace liminal::models
