#include "core/models/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "core/models/evaluator.hpp"
#include "core/models/machine.hpp"
#include "core/models/test_models.hpp"
#include "core/models/tree_shap.hpp"

namespace liminal::models {
namespace {

using namespace testing;

/// The mean of a tree when only the features in `known` are: the definition of what is explained.
double known_mean(const Tree& tree,
                  std::size_t at,
                  std::span<const float> columns,
                  std::span<const std::uint32_t> feature_of,
                  std::uint32_t known) {
  const TreeNode& node = tree.nodes[at];
  if (node.leaf()) return static_cast<double>(node.value);
  const auto column = static_cast<std::size_t>(node.feature);
  const double left = known_mean(tree, node.left, columns, feature_of, known);
  const double right = known_mean(tree, node.right, columns, feature_of, known);
  if ((known >> feature_of[column] & 1U) != 0) {
    const bool goes_left =
        std::isnan(columns[column]) ? node.missing_left : columns[column] < node.value;
    return goes_left ? left : right;
  }
  const auto l = static_cast<double>(tree.nodes[node.left].cover);
  const auto r = static_cast<double>(tree.nodes[node.right].cover);
  return l + r > 0 ? (l * left + r * right) / (l + r) : .5 * (left + right);
}

/// Shapley's formula over all subsets.
template <class Value>
std::vector<double> shapley(std::size_t features, Value value) {
  std::vector<double> factorial(features + 1, 1);
  for (std::size_t i = 1; i <= features; ++i)
    factorial[i] = factorial[i - 1] * static_cast<double>(i);
  std::vector<double> parts(features);
  for (std::uint32_t subset = 0; subset < (1U << features); ++subset) {
    const auto size = static_cast<std::size_t>(std::popcount(subset));
    for (std::size_t i = 0; i < features; ++i) {
      if ((subset >> i & 1U) != 0) continue;
      const double weight = factorial[size] * factorial[features - size - 1] / factorial[features];
      parts[i] += weight * (value(subset | 1U << i) - value(subset));
    }
  }
  return parts;
}

RC_GTEST_PROP(Explain, TreeShapIsShapleysFormula, (std::uint32_t seed)) {
  Random random(seed);
  const std::size_t features = 1 + random.below(5);
  // More columns than features: some of them share one.
  const std::size_t columns = features + random.below(3);
  std::vector<std::uint32_t> feature_of(columns);
  for (std::size_t i = 0; i < columns; ++i)
    feature_of[i] = static_cast<std::uint32_t>(i < features ? i : random.below(features));
  const TreeShape shape{static_cast<std::uint32_t>(random.below(7)), .2, -1, 1};
  Tree tree = trees(random, 1, columns, shape).front();
  if (random.chance(.3)) {
    for (TreeNode& node : tree.nodes) node.cover = random.chance(.5) ? 0.F : node.cover;
  }
  const std::vector<float> row = rows(random, columns, 1);

  std::vector<double> parts(features);
  const double expectation = add_shapley_values(tree, row, feature_of, parts);
  const auto value = [&](std::uint32_t known) {
    return known_mean(tree, 0, row, feature_of, known);
  };
  const std::vector<double> exact = shapley(features, value);
  RC_ASSERT(std::abs(expectation - value(0)) < 1e-12);
  for (std::size_t i = 0; i < features; ++i) RC_ASSERT(std::abs(parts[i] - exact[i]) < 1e-10);
}

RC_GTEST_PROP(Explain, ContributionsSumToTheMarginLessTheExpectation, (std::uint32_t seed)) {
  Random random(seed);
  const Model model = testing::model(random, random.below(kKinds));
  const std::size_t features = model.metadata.features.size();
  const std::vector<float> row = rows(random, features, 1);
  const std::vector<float> usual =
      random.chance(.5) ? rows(random, features, 7) : std::vector<float>{};
  const Explanation why = explain(model, row, {usual, 20, seed});
  const double sum = std::accumulate(why.contributions.begin(), why.contributions.end(), 0.);
  const double size = std::max(1., std::abs(why.margin));
  RC_ASSERT(std::abs(why.expectation + sum - why.margin) < 1e-9 * size);
  const Evaluator machine = *Evaluator::create(model);
  RC_ASSERT(std::abs(machine.predict(row).margin - why.margin) < 1e-9 * size);
}

TEST(Explain, SaysHowExactItIs) {
  const auto exactness = [](std::size_t which) {
    Random random(5);
    const Model made = model(random, which);
    return explain(made, rows(random, made.metadata.features.size(), 1)).exactness;
  };
  EXPECT_EQ(exactness(1), Exactness::kExact);
  EXPECT_EQ(exactness(2), Exactness::kScaled);
  EXPECT_EQ(exactness(4), Exactness::kExact);
  EXPECT_EQ(exactness(5), Exactness::kSampled);
  EXPECT_EQ(exactness(6), Exactness::kSampled);
  EXPECT_EQ(exactness(7), Exactness::kExact);
  EXPECT_EQ(exactness(8), Exactness::kSampled);  // a network is among its members
  EXPECT_EQ(name(Exactness::kSampled), "sampled");
}

TEST(Explain, ABlendOfExactMembersIsExact) {
  Random random(6);
  Blend blend{{{.75F, boosted(random, 4, 10, {4, .1}, false)}, {.25F, linear(random, 4)}},
              1.5F,
              .25F,
              Link::kLogistic};
  const Model whole{metadata(random, 4, Task::kClassification), blend};
  const std::vector<float> row = rows(random, 4, 1);
  const Explanation why = explain(whole, row);
  EXPECT_EQ(why.exactness, Exactness::kExact);
  const Explanation first = explain(
      {metadata(random, 4, Task::kRegression), std::get<Trees>(blend.members[0].model)}, row);
  const Explanation second = explain(
      {metadata(random, 4, Task::kRegression), std::get<Linear>(blend.members[1].model)}, row);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(why.contributions[i],
                1.5 * (.75 * first.contributions[i] + .25 * second.contributions[i]),
                1e-12);
  }
}

TEST(Explain, ALinearModelSplitsByWeightAndDistanceFromTheMean) {
  Inputs inputs;
  inputs.columns.push_back({.feature = 0, .fill = 10, .mean = 10, .scale = .5F});
  inputs.columns.push_back({.feature = 1, .fill = 0, .mean = 0, .scale = 1});
  Random random(1);
  const Model model{metadata(random, 2, Task::kRegression), Linear{inputs, {3, -2}, 5}};
  const Explanation why = explain(model, std::vector<float>{14, 1});
  EXPECT_DOUBLE_EQ(why.expectation, 5);
  EXPECT_DOUBLE_EQ(why.contributions[0], 3 * .5 * 4);
  EXPECT_DOUBLE_EQ(why.contributions[1], -2);
  const std::vector<float> usual{12, 0, 16, 2};
  const Explanation other = explain(model, std::vector<float>{14, 1}, {usual});
  EXPECT_DOUBLE_EQ(other.contributions[0], 0);
  EXPECT_DOUBLE_EQ(other.contributions[1], 0);
}

TEST(Explain, WithoutABackgroundIndicatorsAndUnscaledColumnsCountFromZero) {
  Inputs inputs;
  inputs.columns.push_back({.kind = Column::Kind::kIndicator, .feature = 0, .level = 2});
  inputs.columns.push_back({.feature = 1, .fill = 0});
  Random random(1);
  const Model model{metadata(random, 2, Task::kRegression), Linear{inputs, {3, .5F}, 5}};
  const std::vector<float> row{2, 40};
  const Explanation why = explain(model, row);
  EXPECT_DOUBLE_EQ(why.expectation, 5);
  EXPECT_THAT(why.contributions, ::testing::ElementsAre(3, 20));
  const std::vector<float> usual{2, 30, 1, 40};
  EXPECT_THAT(explain(model, row, {usual}).contributions, ::testing::ElementsAre(1.5, 2.5));
}

TEST(Explain, SamplingComesNearShapleysFormulaAndRepeatsItself) {
  Random random(9);
  Model made = model(random, 5);
  while (made.metadata.features.size() < 3) made = model(random, 5);
  const std::size_t features = made.metadata.features.size();
  const std::vector<float> row = rows(random, features, 1);
  const std::vector<float> usual = rows(random, features, 1);
  const Evaluator machine = *Evaluator::create(made);
  const std::vector<double> exact = shapley(features, [&](std::uint32_t known) {
    std::vector<float> mixed = usual;
    for (std::size_t i = 0; i < features; ++i)
      if ((known >> i & 1U) != 0) mixed[i] = row[i];
    return machine.predict(mixed).margin;
  });
  const ExplainOptions options{usual, 4000, 3};
  const Explanation why = explain(made, row, options);
  for (std::size_t i = 0; i < features; ++i) EXPECT_NEAR(why.contributions[i], exact[i], .01);
  EXPECT_EQ(explain(made, row, options).contributions, why.contributions);
}

TEST(Explain, AForestsProbabilityOutsideTheClipIsStillSummedUp) {
  Random random(2);
  Trees certain = forest(random, 3, 5, false);
  for (Tree& tree : certain.trees)
    for (TreeNode& node : tree.nodes)
      if (node.leaf()) node.value = 1;
  const Model model{metadata(random, 3, Task::kClassification), certain};
  const Explanation why = explain(model, rows(random, 3, 1));
  EXPECT_NEAR(why.margin, std::log(.998 / .002), 1e-5);
  EXPECT_NEAR(why.expectation, why.margin, 1e-9);
  EXPECT_THAT(why.contributions, ::testing::Each(::testing::DoubleNear(0, 1e-9)));
}

}  // namespace
}  // namespace liminal::models
