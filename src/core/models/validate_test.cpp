#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "core/models/model.hpp"
#include "core/models/test_models.hpp"

namespace liminal::models {
namespace {

using namespace testing;

std::string first(const Model& model) {
  const Problems problems = validate(model);
  return problems.empty() ? "" : problems.front().key;
}

template <class Kind>
std::string broken(std::size_t which, const std::function<void(Kind&)>& damage) {
  Random random(3);
  Model made = model(random, which);
  EXPECT_EQ(first(made), "");
  damage(std::get<Kind>(made.predictor));
  return first(made);
}

Tree small() {
  return {{{0, .5F, 1, 2, true, 2},
           {TreeNode::kLeaf, 1, 0, 0, true, 1},
           {TreeNode::kLeaf, 2, 0, 0, true, 1}}};
}

RC_GTEST_PROP(Validate, AcceptsWhatIsConsistent, (std::uint32_t seed)) {
  Random random(seed);
  RC_ASSERT(first(model(random, random.below(kKinds))).empty());
}

TEST(Validate, NamesTheNodeThatIsWrong) {
  const auto with = [](const std::function<void(Tree&)>& damage) {
    return broken<Trees>(0, [&](Trees& trees) {
      trees.inputs = {};
      trees.trees = {small(), small()};
      damage(trees.trees[1]);
    });
  };
  EXPECT_EQ(with([](Tree& tree) { tree.nodes.clear(); }), "predictor.trees[1].nodes");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[0].right = 3; }), "predictor.trees[1].nodes[0].right");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[0].left = 0; }), "predictor.trees[1].nodes[0].left");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[0].right = 1; }), "predictor.trees[1].nodes[0].right");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[0].feature = 99; }),
            "predictor.trees[1].nodes[0].feature");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[0].feature = -2; }),
            "predictor.trees[1].nodes[0].feature");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[2].value = kMissing; }),
            "predictor.trees[1].nodes[2].value");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes[2].cover = -1; }),
            "predictor.trees[1].nodes[2].cover");
  EXPECT_EQ(with([](Tree& tree) { tree.nodes.push_back({}); }), "predictor.trees[1].nodes[3]");
}

TEST(Validate, RefusesTreesDeeperThanAllowed) {
  Tree chain;
  for (std::uint32_t i = 0; i < 513; ++i) {
    chain.nodes.push_back({0, 0, 2 * i + 1, 2 * i + 2, true, 0});
    chain.nodes.push_back({});
  }
  chain.nodes.push_back({});
  EXPECT_EQ(broken<Trees>(0, [&](Trees& trees) { trees.trees = {chain}; }),
            "predictor.trees[0].nodes[1024].left");
}

TEST(Validate, NamesTheShapeThatIsWrong) {
  EXPECT_EQ(broken<Linear>(3, [](Linear& model) { model.weights.push_back(1); }),
            "predictor.weights");
  EXPECT_EQ(broken<Linear>(3, [](Linear& model) { model.intercept = kMissing; }),
            "predictor.intercept");
  EXPECT_EQ(broken<Mlp>(5, [](Mlp& model) { model.layers.clear(); }), "predictor.layers");
  EXPECT_EQ(broken<Mlp>(5, [](Mlp& model) { model.layers.back().bias.clear(); }).substr(0, 17),
            "predictor.layers[");
  EXPECT_EQ(broken<Mlp>(5, [](Mlp& model) { model.layers[0].columns += 1; }),
            "predictor.layers[0].columns");
  EXPECT_EQ(broken<KMeans>(6, [](KMeans& model) { model.centroids.pop_back(); }),
            "predictor.centroids");
  EXPECT_EQ(broken<KMeans>(6, [](KMeans& model) { model.clusters = 0; }), "predictor.clusters");
  EXPECT_EQ(broken<IsolationForest>(7, [](IsolationForest& model) { model.expected = 0; }),
            "predictor.expected");
  EXPECT_EQ(broken<IsolationForest>(7,
                                    [](IsolationForest& model) {
                                      model.trees[0].nodes = {{TreeNode::kLeaf, -1}};
                                    }),
            "predictor.trees[0]");
  EXPECT_EQ(broken<Blend>(8, [](Blend& model) { model.members.clear(); }), "predictor.members");
  EXPECT_EQ(
      broken<Blend>(
          8, [](Blend& model) { std::get<Linear>(model.members[1].model).weights.pop_back(); }),
      "predictor.members[1].model.weights");
}

TEST(Validate, HoldsKindAndLinkToTheTask) {
  EXPECT_EQ(broken<Trees>(0, [](Trees& model) { model.link = Link::kLogistic; }), "predictor.link");
  EXPECT_EQ(broken<Trees>(1, [](Trees& model) { model.link = Link::kIdentity; }), "predictor.link");
  EXPECT_EQ(broken<Linear>(4, [](Linear& model) { model.link = Link::kProbability; }),
            "predictor.link");
  Random random(3);
  Model made = model(random, 6);
  made.metadata.task = Task::kAnomaly;
  EXPECT_EQ(first(made), "predictor");
  made = model(random, 3);
  made.metadata.task = Task::kClustering;
  EXPECT_EQ(first(made), "predictor");
}

TEST(Validate, WantsNamedDistinctFeaturesAndFacts) {
  Random random(3);
  Model made = model(random, 9);
  made.metadata.facts.push_back(made.metadata.facts.front());
  EXPECT_EQ(first(made), "metadata.facts[2]");
  made.metadata.facts.clear();
  made.metadata.features[0].name.clear();
  EXPECT_EQ(first(made), "metadata.features[0].name");
  made.metadata.features.clear();
  EXPECT_EQ(first(made), "metadata.features");
}

TEST(Validate, SaysNoMoreThanAPersonReads) {
  Random random(3);
  Model made = model(random, 0);
  std::get<Trees>(made.predictor).trees.assign(1000, Tree{});
  EXPECT_EQ(validate(made).size(), 20U);
}

}  // namespace
}  // namespace liminal::models
