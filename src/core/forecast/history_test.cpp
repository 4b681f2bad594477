#include "core/forecast/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace liminal::forecast {
namespace {

using ::testing::ElementsAre;

std::vector<double> filled(std::vector<double> values, Seasons seasons = {}) {
  fill_gaps(values, seasons);
  return values;
}

TEST(FillGaps, DrawsAStraightLineWithoutASeason) {
  EXPECT_THAT(filled({1, NAN, NAN, 4}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(filled({NAN, NAN, 3, 5}), ElementsAre(3, 3, 3, 5));
  EXPECT_THAT(filled({1, 2, NAN, NAN}), ElementsAre(1, 2, 2, 2));
}

TEST(FillGaps, RepeatsTheSeasonMovedToWhatStandsBeside) {
  EXPECT_THAT(filled({0, 5, 9, 5, 10, NAN, 19, 15}, {4, 0}),
              ElementsAre(0, 5, 9, 5, 10, 15, 19, 15));
  EXPECT_THAT(filled({0, 5, 9, 5, 0, NAN, NAN, NAN}, {4, 0}), ElementsAre(0, 5, 9, 5, 0, 5, 9, 5));
}

TEST(Scaling, TakesTheLogarithmOfWhateverWasSeen) {
  for (const auto& values :
       {std::vector<double>{1, 2, 3}, {0, 4, 0}, {-5, 1, 7}, {0, 0}, {1e300, 1}}) {
    const Scaling scaling = Scaling::of(values);
    EXPECT_EQ(scaling.non_negative, values[0] >= 0);
    for (const double x : values) {
      const double level = x / scaling.scale;
      EXPECT_NEAR(scaling.from_log(scaling.to_log(level)), level, 2e-9 * (1 + std::abs(level)))
          << x;
    }
  }
}

TEST(Scaling, BendsLittleWhereValuesAreNegative) {
  const Scaling scaling = Scaling::of(std::vector<double>{-10, 30});
  EXPECT_NEAR(
      std::exp(scaling.to_log(30 / scaling.scale) - scaling.to_log(-10 / scaling.scale)), 2, 1e-9);
}

RC_GTEST_PROP(Prepare, GivesFiniteNumbersForWhateverIsLearnt, ()) {
  auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::element<double>(NAN, 0, 1, -1, 1e-300, 1e300, -1e300, 42.5)));
  values.push_back(1);
  const History history = prepare(values, 0, {2, 4}, Scaling::of(values));
  RC_ASSERT(history.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    RC_ASSERT(std::isfinite(history.level[i]) && std::isfinite(history.log[i]));
    RC_ASSERT(history.observed[i] == (std::isnan(values[i]) ? 0 : 1));
  }
}

}  // namespace
}  // namespace liminal::forecast
