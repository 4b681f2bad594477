#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/models/model.hpp"

/// Random models and rows from a seed, for tests and benchmarks.
namespace liminal::models::testing {

struct TreeShape {
  std::uint32_t depth = 6;
  double leaf_chance = 0;  ///< that a node above the deepest level is a leaf
  float leaf_low = -.1F;
  float leaf_high = .1F;
};

inline float uniform(Random& random, float low, float high) {
  return static_cast<float>(random.uniform(static_cast<double>(low), static_cast<double>(high)));
}

inline std::vector<float> weights(Random& random, std::size_t count, float size) {
  std::vector<float> made(count);
  for (float& weight : made) weight = uniform(random, -size, size);
  return made;
}

inline void grow(Tree& tree,
                 std::size_t index,
                 std::uint32_t level,
                 std::size_t columns,
                 const TreeShape& shape,
                 Random& random) {
  if (level == shape.depth || (level > 0 && random.chance(shape.leaf_chance))) {
    tree.nodes[index].value = uniform(random, shape.leaf_low, shape.leaf_high);
    return;
  }
  TreeNode node;
  node.feature = static_cast<std::int32_t>(random.below(columns));
  // Few distinct thresholds, so that rows often lie on them.
  node.value = static_cast<float>(random.below(17)) / 4 - 2;
  node.missing_left = random.chance(.5);
  node.cover = tree.nodes[index].cover;
  node.left = static_cast<std::uint32_t>(tree.nodes.size());
  node.right = node.left + 1;
  tree.nodes[index] = node;
  const float left = node.cover * uniform(random, 0, 1);
  tree.nodes.push_back({TreeNode::kLeaf, 0, 0, 0, true, left});
  tree.nodes.push_back({TreeNode::kLeaf, 0, 0, 0, true, node.cover - left});
  grow(tree, node.left, level + 1, columns, shape, random);
  grow(tree, node.right, level + 1, columns, shape, random);
}

inline std::vector<Tree> trees(Random& random,
                               std::size_t count,
                               std::size_t columns,
                               const TreeShape& shape) {
  std::vector<Tree> made(count);
  for (Tree& tree : made) {
    tree.nodes.push_back({TreeNode::kLeaf, 0, 0, 0, true, 1000});
    grow(tree, 0, 0, columns, shape, random);
  }
  return made;
}

/// Columns of every kind; none stays missing unless `missing`.
inline Inputs inputs(Random& random, std::size_t features, bool missing) {
  Inputs made;
  const std::size_t count = features + random.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    Column column;
    column.feature = static_cast<std::uint32_t>(i < features ? i : random.below(features));
    if (i >= features && random.chance(.5)) {
      column.kind = Column::Kind::kIndicator;
      column.level = static_cast<float>(random.below(4));
      made.columns.push_back(column);
      continue;
    }
    if (!missing || random.chance(.5)) column.fill = uniform(random, -1, 1);
    column.mean = uniform(random, -1, 1);
    column.scale = uniform(random, .2F, 2);
    if (random.chance(.5)) column.limit = 2;
    if (random.chance(.2)) column.codes = {{-1, .5F}, {0, -.25F}, {1, 2}, {2, .125F}};
    made.columns.push_back(column);
  }
  return made;
}

inline Trees boosted(
    Random& random, std::size_t features, std::size_t count, const TreeShape& shape, bool scaled) {
  Trees model;
  if (scaled) model.inputs = inputs(random, features, true);
  model.trees = trees(random, count, model.inputs.width(features), shape);
  model.base = uniform(random, -.5F, .5F);
  return model;
}

/// A forest whose leaves are shares of a class.
inline Trees forest(Random& random, std::size_t features, std::size_t count, bool scaled) {
  Trees model = boosted(random, features, count, {6, .2, 0, 1}, scaled);
  model.mean = true;
  model.base = 0;
  model.link = Link::kProbability;
  return model;
}

inline Linear linear(Random& random, std::size_t features) {
  Linear model;
  model.inputs = inputs(random, features, false);
  model.weights = weights(random, model.inputs.columns.size(), 1);
  model.intercept = uniform(random, -.5F, .5F);
  return model;
}

inline Mlp mlp(Random& random, std::size_t features) {
  Mlp model;
  model.inputs = inputs(random, features, false);
  auto columns = static_cast<std::uint32_t>(model.inputs.columns.size());
  const std::size_t hidden = random.below(3);
  for (std::size_t i = 0; i <= hidden; ++i) {
    Layer layer;
    layer.rows = i == hidden ? 1 : static_cast<std::uint32_t>(1 + random.below(16));
    layer.columns = columns;
    layer.weights = weights(random, std::size_t{layer.rows} * columns, .5F);
    layer.bias = weights(random, layer.rows, .5F);
    layer.activation =
        i == hidden ? Activation::kIdentity : static_cast<Activation>(random.below(4));
    columns = layer.rows;
    model.layers.push_back(std::move(layer));
  }
  return model;
}

inline KMeans kmeans(Random& random, std::size_t features) {
  KMeans model;
  model.inputs = inputs(random, features, false);
  model.clusters = static_cast<std::uint32_t>(1 + random.below(8));
  model.centroids = weights(random, model.clusters * model.inputs.columns.size(), 2);
  return model;
}

inline IsolationForest isolation_forest(Random& random, std::size_t features) {
  IsolationForest model;
  if (random.chance(.5)) model.inputs = inputs(random, features, true);
  model.trees = trees(random, 1 + random.below(30), model.inputs.width(features), {8, .2, 2, 12});
  model.expected = expected_path(256);
  return model;
}

inline Blend blend(Random& random, std::size_t features, bool classification) {
  Blend model;
  model.members.push_back({.5F, boosted(random, features, 20, {5, .2}, random.chance(.5))});
  model.members.push_back({.25F, linear(random, features)});
  model.members.push_back({.125F, mlp(random, features)});
  if (classification) model.members.push_back({.125F, forest(random, features, 10, true)});
  model.slope = uniform(random, .5F, 1.5F);
  model.intercept = uniform(random, -.5F, .5F);
  if (classification) model.link = Link::kLogistic;
  return model;
}

inline Metadata metadata(Random& random, std::size_t features, Task task) {
  Metadata made;
  made.name = "model_" + std::to_string(random.below(1000));
  made.task = task;
  for (std::size_t i = 0; i < features; ++i)
    made.features.push_back({"feature_" + std::to_string(i), i % 2 == 0 ? "1/min" : "B"});
  made.schema = random.bits();
  made.trainer = "random";
  made.line = .625F;
  made.facts = {{"rows", std::to_string(random.below(100'000))}, {"seed", "7"}};
  return made;
}

inline constexpr std::size_t kKinds = 10;

/// One of `kKinds` kinds of model and task, of 1 to 8 features.
inline Model model(Random& random, std::size_t which) {
  const std::size_t features = 1 + random.below(8);
  const std::size_t count = 1 + random.below(40);
  const bool scaled = random.chance(.5);
  const TreeShape shape{static_cast<std::uint32_t>(random.below(9)), .2};
  const auto with = [&](Task task, Predictor predictor) {
    return Model{metadata(random, features, task), std::move(predictor)};
  };
  switch (which) {
    case 0:
      return with(Task::kRegression, boosted(random, features, count, shape, scaled));
    case 1: {
      Trees made = boosted(random, features, count, shape, scaled);
      made.link = Link::kLogistic;
      return with(Task::kClassification, std::move(made));
    }
    case 2:
      return with(Task::kClassification, forest(random, features, count, scaled));
    case 3:
      return with(Task::kRegression, linear(random, features));
    case 4: {
      Linear made = linear(random, features);
      made.link = Link::kLogistic;
      return with(Task::kClassification, std::move(made));
    }
    case 5: {
      Mlp made = mlp(random, features);
      made.link = Link::kLogistic;
      return with(Task::kClassification, std::move(made));
    }
    case 6:
      return with(Task::kClustering, kmeans(random, features));
    case 7:
      return with(Task::kAnomaly, isolation_forest(random, features));
    case 8:
      return with(Task::kRegression, blend(random, features, false));
    default:
      return with(Task::kClassification, blend(random, features, true));
  }
}

/// Values on and around the thresholds, levels and codes; one in eight is missing.
inline std::vector<float> rows(Random& random, std::size_t features, std::size_t count) {
  std::vector<float> made(features * count);
  for (float& value : made) {
    if (random.chance(.125)) {
      value = std::numeric_limits<float>::quiet_NaN();
    } else if (random.chance(.5)) {
      value = static_cast<float>(random.below(17)) / 4 - 2;
    } else {
      value = uniform(random, -3, 3);
    }
  }
  return made;
}

}  // namespace liminal::models::testing
