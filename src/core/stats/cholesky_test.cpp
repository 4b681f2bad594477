#include "core/stats/cholesky.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace liminal::stats {
namespace {

RC_GTEST_PROP(SolvePositive, FindsWhatWasMultiplied, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(1, 12);
  const auto number = [] { return *rc::gen::inRange(-1000, 1001) / 100.; };
  std::vector<std::vector<double>> m(n, std::vector<double>(n));
  for (auto& row : m)
    for (double& value : row) value = number();
  std::vector<double> x(n), b(n), lower(triangle_row(n));
  for (double& value : x) value = number();
  // M·Mᵀ + I is positive definite, whatever M is.
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double a = i == j ? 1 : 0;
      for (std::size_t k = 0; k < n; ++k) a += m[i][k] * m[j][k];
      b[i] += a * x[j];
      if (j <= i) lower[triangle_row(i) + j] = a;
    }
  }
  RC_ASSERT(solve_positive(lower, b));
  for (std::size_t i = 0; i < n; ++i) RC_ASSERT(std::abs(b[i] - x[i]) < 1e-6);
}

TEST(SolvePositive, RefusesWhatIsNotPositiveDefinite) {
  std::array<double, 3> lower{1, 2, 1};  // eigenvalues 3 and -1
  std::array<double, 2> b{1, 1};
  EXPECT_FALSE(solve_positive(lower, b));
  std::array<double, 1> nan{std::nan("")}, one{1};
  EXPECT_FALSE(solve_positive(nan, one));
}

TEST(SolvePositive, LeavesADirectionWithoutEvidenceAtAboutZero) {
  std::array<double, 3> lower{4, 0, 0};
  std::array<double, 2> b{8, 0};
  ASSERT_TRUE(solve_positive(lower, b, 1e-14));
  EXPECT_DOUBLE_EQ(b[0], 2);
  EXPECT_DOUBLE_EQ(b[1], 0);
}

}  // namespace
}  // namespace liminal::stats
