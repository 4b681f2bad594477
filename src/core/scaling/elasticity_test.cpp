#include "core/scaling/elasticity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::scaling {
namespace {

using testing::ElementsAre;

TEST(Elasticity, MoreIsReadyAfterTheDelayAndFewerAtOnce) {
  const std::vector<double> desired{1, 5, 5, 5, 5, 2, 5, 5};
  EXPECT_THAT(supply(desired, 1, 3), ElementsAre(1, 1, 1, 1, 5, 5, 2, 2));
}

TEST(Elasticity, StabilisationHoldsTheLargestOrder) {
  const std::vector<double> desired{3, 1, 1, 1, 1};
  EXPECT_THAT(supply(desired, 3, 1), ElementsAre(3, 3, 3, 3, 1));
}

TEST(Elasticity, MeasuresAWorkedExample) {
  const std::vector<double> needed{2, 4, 2, 1}, ready{2, 2, 3, 3};
  const Elasticity found = elasticity(needed, ready);
  EXPECT_DOUBLE_EQ(found.under_share_ratio, .5 / 4);
  EXPECT_DOUBLE_EQ(found.over_share_ratio, (.5 + 2) / 4);
  EXPECT_DOUBLE_EQ(found.under_time_ratio, .25);
  EXPECT_DOUBLE_EQ(found.over_time_ratio, .5);
  EXPECT_DOUBLE_EQ(found.instance_minutes, 10);
  EXPECT_DOUBLE_EQ(found.mean_instances, 2.5);
  EXPECT_DOUBLE_EQ(found.moves_per_day, 360);
}

TEST(Elasticity, OfNothingIsNothing) { EXPECT_EQ(elasticity({}, {}).instance_minutes, 0); }

TEST(Elasticity, ACurveIsReadBetweenItsPointsAndAtItsEnds) {
  Curve curve(2);
  curve[0].mean_instances = 10, curve[0].under_share_ratio = .04;
  curve[1].mean_instances = 20, curve[1].under_share_ratio = .01;
  EXPECT_NEAR(under_share_at(curve, 15), .02, 1e-6);
  EXPECT_EQ(under_share_at(curve, 5), .04);
  EXPECT_EQ(under_share_at(curve, 99), .01);
  EXPECT_EQ(under_share_at({}, 5), 0);
}

}  // namespace
}  // namespace liminal::scaling
