#include "core/models/evaluator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>

#include "core/base/math.hpp"
#include "core/models/dense.hpp"
#include "core/models/test_models.hpp"

namespace liminal::models {
namespace {

using namespace testing;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Evaluator evaluator(const Model& model) {
  auto made = Evaluator::create(model);
  if (!made) {
    for (const Problem& problem : made.error())
      ADD_FAILURE() << problem.key << ": " << problem.text;
  }
  return *std::move(made);
}

/// The definition, node by node.
double leaf_of(const Tree& tree, std::span<const float> columns) {
  std::size_t at = 0;
  while (!tree.nodes[at].leaf()) {
    const TreeNode& node = tree.nodes[at];
    const float x = columns[static_cast<std::size_t>(node.feature)];
    const bool left = std::isnan(x) ? node.missing_left : x < node.value;
    at = left ? node.left : node.right;
  }
  return static_cast<double>(tree.nodes[at].value);
}

Model of(Trees trees, std::size_t features, Task task = Task::kRegression) {
  Random random(1);
  return {metadata(random, features, task), std::move(trees)};
}

std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }

RC_GTEST_PROP(Evaluator, TreesAnswerAsTheirNodesSay, (std::uint32_t seed)) {
  Random random(seed);
  const std::size_t features = 1 + random.below(6);
  const TreeShape shape{static_cast<std::uint32_t>(random.below(10)), random.uniform(0, .4)};
  const Model model = of(boosted(random, features, 1 + random.below(20), shape, false), features);
  const Evaluator machine = evaluator(model);
  const std::vector<float> many = rows(random, features, 20);
  for (std::size_t i = 0; i < 20; ++i) {
    const auto row = std::span(many).subspan(i * features, features);
    double sum = 0;
    for (const Tree& tree : std::get<Trees>(model.predictor).trees) sum += leaf_of(tree, row);
    const double base = static_cast<double>(std::get<Trees>(model.predictor).base);
    RC_ASSERT(bits(machine.predict(row).score) == bits(base + sum));
  }
}

RC_GTEST_PROP(Evaluator, ABatchAnswersAsItsRowsAlone, (std::uint32_t seed)) {
  Random random(seed);
  const Model model = testing::model(random, random.below(kKinds));
  const Evaluator machine = evaluator(model);
  const std::size_t features = machine.features();
  const std::size_t count = random.below(150);
  const std::vector<float> many = rows(random, features, count);
  std::vector<Prediction> batch(count);
  machine.predict_batch(many, batch);
  for (std::size_t i = 0; i < count; ++i) {
    const Prediction alone = machine.predict(std::span(many).subspan(i * features, features));
    RC_ASSERT(bits(alone.score) == bits(batch[i].score));
    RC_ASSERT(bits(alone.margin) == bits(batch[i].margin));
    RC_ASSERT(alone.cluster == batch[i].cluster);
  }
}

TEST(Evaluator, TakesRowsOfAnyWidthInBatches) {
  // From many rows in flight at once to fewer than are walked side by side.
  for (const std::size_t features : {31U, 40U, 200U, 400U, 1000U, 2047U}) {
    Random random(features);
    const Model model = of(boosted(random, features, 9, {6, .2}, false), features);
    const Evaluator machine = evaluator(model);
    constexpr std::size_t kCount = 70;
    const std::vector<float> many = rows(random, features, kCount);
    std::vector<Prediction> batch(kCount);
    machine.predict_batch(many, batch);
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto row = std::span(many).subspan(i * features, features);
      double sum = 0;
      for (const Tree& tree : std::get<Trees>(model.predictor).trees) sum += leaf_of(tree, row);
      const double base = static_cast<double>(std::get<Trees>(model.predictor).base);
      EXPECT_EQ(bits(batch[i].score), bits(base + sum)) << features << " features, row " << i;
    }
  }
}

RC_GTEST_PROP(Evaluator, AnswersStayInTheirRange, (std::uint32_t seed)) {
  Random random(seed);
  const Model model = testing::model(random, random.below(kKinds));
  const Evaluator machine = evaluator(model);
  const Prediction answer = machine.predict(rows(random, machine.features(), 1));
  RC_ASSERT(std::isfinite(answer.score) && std::isfinite(answer.margin));
  switch (model.metadata.task) {
    case Task::kClassification:
    case Task::kAnomaly:
      RC_ASSERT(answer.score >= 0 && answer.score <= 1);
      break;
    case Task::kClustering:
      RC_ASSERT(answer.score >= 0);
      RC_ASSERT(answer.cluster < std::get<KMeans>(model.predictor).clusters);
      break;
    case Task::kRegression:
      RC_ASSERT(answer.score == answer.margin);
  }
}

TEST(Evaluator, GivesTheSameBitsEverywhere) {
  Random random(20);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    const Evaluator machine = evaluator(testing::model(random, i % kKinds));
    const std::vector<float> many = rows(random, machine.features(), 16);
    std::vector<Prediction> out(16);
    machine.predict_batch(many, out);
    for (const Prediction& answer : out) hash = mix64(hash ^ bits(answer.score)) + answer.cluster;
  }
  EXPECT_EQ(hash, 16420591314123191366U);
}

TEST(Evaluator, TellsZeroesInfinityAndTheThresholdItselfApart) {
  // −0.5 for less than zero, 0.5 for zero and more; missing as less.
  Tree tree{{{0, 0.F, 1, 2, true, 0}, {TreeNode::kLeaf, -.5F}, {TreeNode::kLeaf, .5F}}};
  Trees trees;
  trees.trees = {tree};
  const Evaluator machine = evaluator(of(trees, 1));
  const auto answer = [&](float x) { return machine.predict(std::span(&x, 1)).score; };
  EXPECT_EQ(answer(0.F), .5);
  EXPECT_EQ(answer(-0.F), .5);
  EXPECT_EQ(answer(-std::numeric_limits<float>::denorm_min()), -.5);
  EXPECT_EQ(answer(kInfinity), .5);
  EXPECT_EQ(answer(-kInfinity), -.5);
  EXPECT_EQ(answer(kMissing), -.5);
  EXPECT_EQ(answer(-kMissing), -.5);
  trees.trees[0].nodes[0].missing_left = false;
  const Evaluator other = evaluator(of(trees, 1));
  const float missing = kMissing;
  EXPECT_EQ(other.predict(std::span(&missing, 1)).score, .5);
}

TEST(Evaluator, WalksTreesThatAreALeafOrALongChain) {
  Trees trees;
  trees.trees.push_back({{{TreeNode::kLeaf, 2.F}}});
  Tree chain;
  constexpr std::uint32_t kLength = 500;
  for (std::uint32_t i = 0; i < kLength; ++i) {
    chain.nodes.push_back({0, static_cast<float>(i), 2 * i + 1, 2 * i + 2, true, 0});
    chain.nodes.push_back({TreeNode::kLeaf, static_cast<float>(i)});
  }
  chain.nodes.push_back({TreeNode::kLeaf, 1000.F});
  trees.trees.push_back(chain);
  const Evaluator machine = evaluator(of(trees, 1));
  for (const float x : {-3.F, .5F, 17.F, 498.5F, 1e9F}) {
    const double expected = 2 + leaf_of(chain, std::span(&x, 1));
    EXPECT_EQ(machine.predict(std::span(&x, 1)).score, expected) << x;
  }
}

TEST(Evaluator, AForestOfSharesAnswersItsMeanAndAClippedMargin) {
  Trees trees;
  for (const float share : {.25F, .5F}) trees.trees.push_back({{{TreeNode::kLeaf, share}}});
  trees.mean = true;
  trees.link = Link::kProbability;
  const float row = 0;
  const Prediction answer =
      evaluator(of(trees, 1, Task::kClassification)).predict(std::span(&row, 1));
  EXPECT_NEAR(answer.score, .375, 1e-12);
  EXPECT_NEAR(answer.margin, std::log(.375 / .625), 1e-12);
  for (Tree& tree : trees.trees) tree.nodes[0].value = 0;
  const Prediction never =
      evaluator(of(trees, 1, Task::kClassification)).predict(std::span(&row, 1));
  EXPECT_EQ(never.score, 0);
  EXPECT_NEAR(never.margin, std::log(.002 / .998), 1e-5);
}

TEST(Evaluator, AnIsolationForestAnswersTwoToTheRelativeDepth) {
  IsolationForest model;
  for (const float depth : {4.F, 6.F}) model.trees.push_back({{{TreeNode::kLeaf, depth}}});
  model.expected = 10;
  Random random(1);
  const float row = 0;
  const Prediction answer =
      evaluator({metadata(random, 1, Task::kAnomaly), model}).predict(std::span(&row, 1));
  EXPECT_DOUBLE_EQ(answer.margin, -.5);
  EXPECT_NEAR(answer.score, std::sqrt(.5), 1e-15);
}

TEST(Evaluator, TheExpectedPathIsThatOfIsolationForests) {
  EXPECT_EQ(expected_path(0), 0.F);
  EXPECT_EQ(expected_path(1), 0.F);
  EXPECT_FLOAT_EQ(expected_path(2), 1.F);
  EXPECT_FLOAT_EQ(expected_path(3), 5.F / 3);
  for (const int rows : {64, 65, 66, 256, 1000}) {
    double harmonic = 0;
    for (int i = 1; i < rows; ++i) harmonic += 1. / i;
    EXPECT_FLOAT_EQ(expected_path(static_cast<std::uint64_t>(rows)),
                    static_cast<float>(2 * harmonic - 2 * (rows - 1.) / rows));
  }
}

TEST(Evaluator, ABlendIsTheCalibratedMeanOfItsMembersMargins) {
  Linear one{{}, {2.F}, 1.F, Link::kLogistic};
  Linear other{{}, {-1.F}, 0.F, Link::kIdentity};
  Blend blend{{{.75F, one}, {.25F, other}}, 2.F, -1.F, Link::kLogistic};
  Random random(1);
  const float row = 3;
  const Prediction answer =
      evaluator({metadata(random, 1, Task::kClassification), blend}).predict(std::span(&row, 1));
  EXPECT_DOUBLE_EQ(answer.margin, 2 * (.75 * 7 - .25 * 3) - 1);
  EXPECT_DOUBLE_EQ(answer.score, logistic(answer.margin));
}

TEST(Evaluator, ANetworkActivatesLayerByLayer) {
  Mlp model;
  model.layers = {{3, 1, {1, -2, .5F}, {0, 1, .25F}, Activation::kRelu},
                  {2, 3, {1, 1, 1, .5F, 0, -1}, {0, .5F}, Activation::kTanh},
                  {1, 2, {2, -3}, {.125F}, Activation::kIdentity}};
  Random random(1);
  const float row = .75F;
  const double a = .75, b = 0, c = .625;
  const double expected = 2 * std::tanh(a + b + c) - 3 * std::tanh(.5 * a - c + .5) + .125;
  const Evaluator machine = evaluator({metadata(random, 1, Task::kRegression), model});
  EXPECT_NEAR(machine.predict(std::span(&row, 1)).score, expected, 1e-6);
}

TEST(Evaluator, TheNearestCentroidIsTheFirstOfEquallyNearOnes) {
  KMeans model{{}, 3, {0, 0, 2, 0, 2, 0}};
  Random random(1);
  const Evaluator machine = evaluator({metadata(random, 2, Task::kClustering), model});
  const std::vector<float> row{3, 1};
  const Prediction answer = machine.predict(row);
  EXPECT_EQ(answer.cluster, 1U);
  EXPECT_NEAR(answer.score, std::sqrt(2), 1e-15);
}

TEST(Evaluator, AnInfiniteFeatureIsAnsweredAsAMissingOne) {
  Random random(1);
  // A column that never varied has a scale of 0.
  const Inputs inputs{{{.feature = 0, .fill = 3, .mean = 3, .scale = 0},
                       {.feature = 1, .fill = 1, .mean = 2, .scale = .5F, .limit = 8}}};
  for (const Model& model :
       {Model{metadata(random, 2, Task::kRegression), Linear{inputs, {2, 4}}},
        Model{metadata(random, 2, Task::kClustering), KMeans{inputs, 2, {0, 0, 1, 2}}}}) {
    const Evaluator machine = evaluator(model);
    const double missing = machine.predict(std::vector<float>{kMissing, kMissing}).score;
    EXPECT_TRUE(std::isfinite(missing));
    for (const float x : {kInfinity, -kInfinity})
      EXPECT_EQ(machine.predict(std::vector<float>{x, x}).score, missing);
  }
}

TEST(Evaluator, RefusesWhatIsNotValid) {
  Random random(1);
  const auto made = Evaluator::create({metadata(random, 2, Task::kRegression), Linear{{}, {1}}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().front().key, "predictor.weights");
}

TEST(Evaluator, TakesEightBytesANode) {
  Random random(1);
  const Evaluator machine = evaluator(of(boosted(random, 4, 100, {6, 0}, false), 4));
  EXPECT_LT(machine.memory_bytes(), 100U * (128 * 8 + 8) + 1024);
  EXPECT_GT(machine.memory_bytes(), 100U * 128 * 8);
}

}  // namespace
}  // namespace liminal::models
