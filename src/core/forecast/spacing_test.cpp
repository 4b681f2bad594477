#include "core/forecast/spacing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

/// Rows that lie `distance` apart and hold their number.
Result<Numbers> placed(std::size_t rows, double distance, double step) {
  Numbers times, values;
  for (std::size_t i = 0; i < rows; ++i) {
    times.push_back(1e9 + distance * static_cast<double>(i));
    values.push_back(static_cast<double>(i));
  }
  return place_on_grid(times, values, step, 1000);
}

TEST(PlaceOnGrid, KeepsTimeWhateverTheRowsDistanceIs) {
  for (const double distance : {84., 90., 59.5, 20., 1.}) {
    const auto grid = placed(480, distance, 60);
    ASSERT_TRUE(grid);
    EXPECT_EQ(grid->size(), static_cast<std::size_t>(std::round(479 * distance / 60)) + 1);
    for (std::size_t k = 0; k < grid->size(); ++k) {
      if (std::isnan((*grid)[k])) continue;
      EXPECT_NEAR((*grid)[k] * distance, 60. * static_cast<double>(k), 30 + distance / 2);
    }
    const auto missing =
        std::count_if(grid->begin(), grid->end(), [](double value) { return std::isnan(value); });
    EXPECT_EQ(missing, std::max<std::ptrdiff_t>(0, std::ssize(*grid) - 480)) << distance;
  }
}

TEST(PlaceOnGrid, TakesTheMeanOfTheRowsOfAStep) {
  EXPECT_THAT(*placed(6, 3600, 7200), ElementsAre(0, 1.5, 3.5, 5));
  EXPECT_THAT(*place_on_grid(Numbers{0, 1, 2, 60, 61, 180}, Numbers{1, NAN, 4, NAN, NAN, 7}, 60, 4),
              ElementsAre(2.5, IsNan(), IsNan(), 7));
}

TEST(PlaceOnGrid, LeavesRowsOfTheirOwnDistanceAsTheyAre) {
  EXPECT_EQ(*placed(7, 60, 60), (Numbers{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(*place_on_grid(Numbers{0, 70, 115, 181}, Numbers{1, 2, 3, 4}, 60, 4),
              ElementsAre(1, 2, 3, 4));
}

TEST(PlaceOnGrid, RefusesMoreThanIsAllowed) {
  EXPECT_EQ(place_on_grid(Numbers{0, 1, 4}, Numbers{1, 2, 3}, 1, 4).error(),
            (Error{ErrorCode::kTooLarge, 2}));
  EXPECT_EQ(place_on_grid(Numbers{0, 1e300}, Numbers{1, 2}, 1e-300, 100).error().code,
            ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace liminal::forecast
