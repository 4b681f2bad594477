#include "core/learn/tails.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

namespace liminal::learn {
namespace {

TEST(NormalQuantile, IsTheTablesOne) {
  EXPECT_NEAR(normal_tail_quantile(.5), 0, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.2), .8416212336, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.05), 1.6448536270, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(.025), 1.9599639845, 1e-9);
  EXPECT_NEAR(normal_tail_quantile(1e-9), 5.9978070150, 1e-8);
}

// By the tables: 2.571, 2.228, 2.042 and 1.984.
TEST(StudentTailQuantile, IsThatOfTheTables) {
  for (const auto& [degrees, t] : {std::pair{5., 2.5706},
                                   std::pair{10., 2.2281},
                                   std::pair{30., 2.0423},
                                   std::pair{100., 1.9840}})
    EXPECT_NEAR(student_tail_quantile(.025, degrees) / t, 1, .002) << degrees;
  EXPECT_NEAR(student_tail_quantile(.025, 3), 3.182, .03);
  EXPECT_NEAR(student_tail_quantile(.0005, 5), 6.869, .03 * 6.869);
  EXPECT_TRUE(std::isinf(student_tail_quantile(.025, 2)));
  EXPECT_EQ(student_tail_quantile(.05, std::numeric_limits<double>::infinity()),
            normal_tail_quantile(.05));
}

// By integration of the density.
TEST(StudentAlike, IsNeverTooNarrowFarOut) {
  EXPECT_GE(student_alike(6, 5), 99.195);
  EXPECT_GE(student_alike(8, 11), 65.7669);
  EXPECT_NEAR(student_alike(6, 8) / 29.3392, 1.025, .026);
  EXPECT_NEAR(student_alike(8, 47) / 11.782, 1.001, .002);
  double before = 0;
  for (double z = 0; z < 10; z += .01) {
    EXPECT_GT(student_alike(z + .01, 5), before);
    before = student_alike(z + .01, 5);
  }
}

}  // namespace
}  // namespace liminal::learn
