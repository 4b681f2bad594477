#include "core/forecast/spacing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace liminal::forecast {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNan;

using Numbers = std::vector<double>;

TEST(UsualStep, IsTheMedianDistance) {
  EXPECT_EQ(usual_step(Numbers{0, 60, 120, 1000, 1060}), 60);
  EXPECT_EQ(usual_step(Numbers{5, 7}), 2);
}

TEST(SpaceEvenly, LeavesMissingValuesInGapsAndNoneForIrregularTimes) {
  const auto spaced = space_evenly(Numbers{0, 60, 130, 310, 365}, Numbers{1, 2, 3, 4, 5}, 60, 100);
  ASSERT_TRUE(spaced);
  EXPECT_THAT(*spaced, ElementsAre(1, 2, 3, IsNan(), IsNan(), 4, 5));
}

TEST(SpaceEvenly, KeepsPointsThatLieCloserThanAStep) {
  const auto spaced = space_evenly(Numbers{0, 60, 61}, Numbers{1, 2, 3}, 60, 100);
  ASSERT_TRUE(spaced);
  EXPECT_THAT(*spaced, ElementsAre(1, 2, 3));
}

TEST(SpaceEvenly, RefusesGapsThatAreTooLong) {
  EXPECT_EQ(space_evenly(Numbers{0, 1, 100}, Numbers{1, 2, 3}, 1, 100).error(),
            (Error{ErrorCode::kTooLarge, 2}));
  EXPECT_TRUE(space_evenly(Numbers{0, 1, 99}, Numbers{1, 2, 3}, 1, 100));
  EXPECT_EQ(space_evenly(Numbers{0, 1e300}, Numbers{1, 2}, 1e-300, 100).error().code,
            ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace liminal::forecast
