#include "core/learn/quantile_leaves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace liminal::learn {
namespace {

using testing::ElementsAre;

TEST(WeightedQuantile, IsTheMiddleOfTwoWhereItLiesBetweenThem) {
  EXPECT_EQ(weighted_quantile(std::vector<float>{4, 1, 2, 10}, {}, .5), 3);
  EXPECT_EQ(weighted_quantile(std::vector<float>{4, 1, 10}, {}, .5), 4);
  EXPECT_EQ(weighted_quantile(std::vector<float>{4, 1, 10}, std::vector<float>{1, 5, 1}, .5), 1);
  EXPECT_EQ(weighted_quantile(std::vector<float>{7}, {}, .9), 7);
}

RC_GTEST_PROP(WeightedQuantile, LosesLeastOfAllValues, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 30);
  const auto of = [&](int low, int high) {
    const auto whole =
        *rc::gen::container<std::vector<int>>(count, rc::gen::inRange<int>(low, high));
    return std::vector<float>(whole.begin(), whole.end());
  };
  const std::vector<float> values = of(-20, 20), weights = of(1, 5);
  const double level = .05 * *rc::gen::inRange(1, 20);
  const auto loss = [&](double said) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double r = static_cast<double>(values[i]) - said;
      sum += static_cast<double>(weights[i]) * (r > 0 ? level * r : (level - 1) * r);
    }
    return sum;
  };
  const double least = loss(weighted_quantile(values, weights, level));
  for (const float other : values) RC_ASSERT(least <= loss(static_cast<double>(other)) + 1e-6);
}

TEST(PlacesOf, AreOfTheOrderAlone) {
  EXPECT_THAT(places_of(std::vector<float>{5, -1, 5, 1e9F}), ElementsAre(.5F, .125F, .5F, .875F));
  EXPECT_EQ(places_of(std::vector<float>{1, 2, 3}), places_of(std::vector<float>{-7, 0, 1e30F}));
}

TEST(SettleLeaves, SetsEachToTheQuantileOfItsRows) {
  models::Trees trees;
  models::TreeNode root, left, right;
  root.feature = 0;
  root.value = .5F;
  root.left = 1;
  root.right = 2;
  trees.trees.push_back({{root, left, right}});
  const Matrix rows{5, 1, {0, 0, 0, 1, 1}};
  settle_leaves(trees, rows, std::vector<float>{1, 2, 900, 4, 8}, {}, .5);
  EXPECT_EQ(trees.trees[0].nodes[0].value, .5F) << "a threshold stays";
  EXPECT_EQ(trees.trees[0].nodes[1].value, 2);
  EXPECT_EQ(trees.trees[0].nodes[2].value, 6);
}

}  // namespace
}  // namespace liminal::learn
