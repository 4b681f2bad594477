#include "io/kenning/prepare.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/random.hpp"

namespace liminal::kenning {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::IsEmpty;

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

TEST(KenningPrepare, StandardisesEachFeatureByItself) {
  const Prepared prepared = prepare({{"a", "b"}, {1, 100, 3, 300}, {0, 1}});
  EXPECT_THAT(prepared.series.values, ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(prepared.mean, ElementsAre(2, 200));
  EXPECT_THAT(prepared.deviation, ElementsAre(1, 100));
  EXPECT_THAT(prepared.series.labels, ElementsAre(0, 1));
}

TEST(KenningPrepare, WhatIsMissingIsTheMean) {
  const float infinite = std::numeric_limits<float>::infinity();
  const Prepared prepared = prepare({{"a"}, {1, kMissing, 3, infinite}, {0, 1, 0, 1}});
  EXPECT_THAT(prepared.mean, ElementsAre(2));
  EXPECT_THAT(
      prepared.series.values,
      ElementsAre(FloatNear(-std::sqrt(2.F), 1e-6F), 0, FloatNear(std::sqrt(2.F), 1e-6F), 0));
}

TEST(KenningPrepare, WhatNeverChangesIsLeftOut) {
  const Prepared prepared = prepare({{"a", "same", "b", "unknown", "rounding"},
                                     {1, 7, 2, kMissing, 16777216, 3, 7, 5, kMissing, 16777218},
                                     {0, 1}});
  EXPECT_THAT(prepared.series.features, ElementsAre("a", "b"));
  EXPECT_THAT(prepared.columns, ElementsAre(0, 2));
  EXPECT_THAT(prepared.left_out, ElementsAre("same", "unknown", "rounding"));
  EXPECT_THAT(prepared.series.values, ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(prepare({{"same"}, {1, 1}, {0, 1}}).columns, IsEmpty());
}

RC_GTEST_PROP(KenningPrepare, KenningFindsNothingLeftToStandardise, (std::uint32_t seed)) {
  Random random(seed);
  Series given;
  const std::size_t width = 1 + random.below(4);
  for (std::size_t f = 0; f < width; ++f) given.features.push_back("f" + std::to_string(f));
  for (std::size_t row = 0; row < 300; ++row) {
    given.labels.push_back(row % 5 == 0 ? 1 : 0);
    for (std::size_t f = 0; f < width; ++f)
      given.values.push_back(
          random.uniform() < .1 ? kMissing : static_cast<float>(1e3 * random.normal() + 50));
  }
  const Prepared prepared = prepare(given);
  RC_ASSERT(prepared.columns.size() == width);
  RC_ASSERT(validate(prepared.series).empty());
  for (std::size_t f = 0; f < width; ++f) {
    double sum = 0, squares = 0;
    for (std::size_t row = 0; row < 300; ++row) {
      const auto value = static_cast<double>(prepared.series.values[row * width + f]);
      sum += value;
      squares += value * value;
    }
    RC_ASSERT(std::abs(sum / 300) < 1e-5);
    RC_ASSERT(std::abs(squares / 300 - 1) < 1e-5);
  }
}

}  // namespace
}  // namespace liminal::kenning
