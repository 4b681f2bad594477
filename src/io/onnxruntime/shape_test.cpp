#include "io/onnxruntime/shape.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace liminal::onnxruntime {
namespace {

TEST(Shape, CountsValuesOfFixedAndOpenAxes) {
  using Axes = std::vector<std::int64_t>;
  EXPECT_EQ(values_of(Axes{}, 1), 1U);
  EXPECT_EQ(values_of(Axes{2, 3, 4}, 1), 24U);
  EXPECT_EQ(values_of(Axes{2, -1, 4}, 1), 8U);
  EXPECT_EQ(values_of(Axes{2, -1, 4}, 0), 0U);
  EXPECT_EQ(values_of(Axes{3, 0}, 1), 0U);
}

TEST(Shape, AFileMayClaimMoreValuesThanThereAreNumbers) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  using Axes = std::vector<std::int64_t>;
  EXPECT_EQ(values_of(Axes{kLargest}, 1), std::nullopt);
  EXPECT_EQ(values_of(Axes{kLargest, kLargest, kLargest}, 1), std::nullopt);
  EXPECT_EQ(values_of(Axes{kHalf, kHalf}, 1), std::size_t{1} << 62);
  EXPECT_EQ(values_of(Axes{kHalf, kHalf, 2}, 1), std::nullopt);
  EXPECT_EQ(values_of(Axes{kLargest, kLargest, 0}, 1), 0U);
}

}  // namespace
}  // namespace liminal::onnxruntime
