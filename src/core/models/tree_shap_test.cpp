#include "core/models/tree_shap.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/base/random.hpp"

namespace liminal::models {
namespace {

/// A feature on the way to a leaf: the share of rows that go this way, and whether the row does.
struct Step {
  std::uint32_t feature = 0;
  long double zero = 1;
  bool one = true;
};

/// The definition, leaf by leaf: the subsets of the other features by their size, counted anew for
/// every feature, all terms positive.
class Definition {
 public:
  Definition(const Tree& tree, std::span<const float> row, std::size_t features)
      : tree_(tree), row_(row), parts_(features) {
    visit(0);
  }
  [[nodiscard]] double part(std::size_t feature) const {
    return static_cast<double>(parts_[feature]);
  }
  [[nodiscard]] std::size_t features_max() const { return features_max_; }

 private:
  void visit(std::uint32_t index) {
    const TreeNode& node = tree_.nodes[index];
    if (node.leaf()) return leaf(static_cast<long double>(node.value));
    const auto feature = static_cast<std::uint32_t>(node.feature);
    const long double left = static_cast<long double>(tree_.nodes[node.left].cover);
    const long double right = static_cast<long double>(tree_.nodes[node.right].cover);
    const std::vector<Step> before = steps_;
    for (const bool side : {true, false}) {
      steps_ = before;
      auto found = std::find_if(
          steps_.begin(), steps_.end(), [&](const Step& step) { return step.feature == feature; });
      if (found == steps_.end()) found = steps_.insert(found, {feature, 1, true});
      found->zero *= (side ? left : right) / (left + right);
      found->one = found->one && side == (row_[feature] < node.value);
      visit(side ? node.left : node.right);
    }
    steps_ = before;
  }

  void leaf(long double value) {
    features_max_ = std::max(features_max_, steps_.size());
    for (const Step& step : steps_)
      parts_[step.feature] += ((step.one ? 1 : 0) - step.zero) * value * chance_without(step);
  }

  /// Over all orders: the chance to come to the leaf if it hung on the other features only.
  [[nodiscard]] long double chance_without(const Step& left_out) const {
    std::vector<long double> by_size{1};
    for (const Step& step : steps_) {
      if (step.feature == left_out.feature) continue;
      by_size.push_back(0);
      for (std::size_t known = by_size.size(); known-- > 0;) {
        by_size[known] *= step.zero;
        if (known > 0 && step.one) by_size[known] += by_size[known - 1];
      }
    }
    const std::size_t others = by_size.size() - 1;
    long double sum = 0;
    long double subsets = 1;
    for (std::size_t known = 0; known <= others; ++known) {
      sum += by_size[known] / subsets;
      subsets *= static_cast<long double>(others - known) / static_cast<long double>(known + 1);
    }
    return sum / static_cast<long double>(others + 1);
  }

  const Tree& tree_;
  std::span<const float> row_;
  std::vector<Step> steps_;
  std::vector<long double> parts_;
  std::size_t features_max_ = 0;
};

std::vector<double> shapley_values(const Tree& tree, std::span<const float> row) {
  std::vector<std::uint32_t> feature_of(row.size());
  std::iota(feature_of.begin(), feature_of.end(), 0U);
  std::vector<double> parts(row.size());
  add_shapley_values(tree, row, feature_of, parts);
  return parts;
}

/// Every split is by a feature of its own; of 1 + along rows one turns aside (x below 0), to a leaf
/// of 0 or a random one.
Tree chain(std::uint32_t depth, float along, float end, Random* random = nullptr) {
  Tree tree;
  for (std::uint32_t i = 0; i < depth; ++i) {
    tree.nodes.push_back({static_cast<std::int32_t>(i), 0, 2 * i + 1, 2 * i + 2, true, along});
    const auto value = random == nullptr ? 0.F : static_cast<float>(random->uniform(-1, 1));
    tree.nodes.push_back({TreeNode::kLeaf, value, 0, 0, true, 1});
  }
  tree.nodes.push_back({TreeNode::kLeaf, end, 0, 0, true, along});
  return tree;
}

TEST(TreeShap, ARowThatFollowsALongChainOwesItToAllItsFeaturesAlike) {
  for (const std::uint32_t depth : {1U, 40U, 64U, 100U, 512U}) {
    for (const float along : {1.F, 9.F, 99.F, 9999.F}) {
      const Tree tree = chain(depth, along, 2);
      const double share = static_cast<double>(along) / (static_cast<double>(along) + 1);
      const double reached = std::pow(share, static_cast<double>(depth));
      const double expected = 2 * (1 - reached) / static_cast<double>(depth);
      for (const double part : shapley_values(tree, std::vector<float>(depth, 1.F)))
        ASSERT_NEAR(part, expected, 1e-13) << "depth " << depth << ", " << share;
    }
  }
}

TEST(TreeShap, ARowThatTurnsAsideFirstOwesItToTheFirstFeature) {
  for (const std::uint32_t depth : {2U, 64U, 512U}) {
    for (const float along : {1.F, 9.F, 99.F}) {
      const Tree tree = chain(depth, along, 1);
      std::vector<float> row(depth, 1.F);
      row[0] = -1;
      const double share = static_cast<double>(along) / (static_cast<double>(along) + 1);
      const auto count = static_cast<double>(depth);
      const double reached = std::pow(share, count);
      const double first = -share * (1 - reached) / (count * (1 - share));
      const std::vector<double> parts = shapley_values(tree, row);
      ASSERT_NEAR(parts[0], first, 1e-13);
      for (std::size_t i = 1; i < depth; ++i)
        ASSERT_NEAR(parts[i], (-reached - first) / (count - 1), 1e-13) << depth << ", " << share;
    }
  }
}

TEST(TreeShap, ALongChainOfRandomLeavesIsExplainedByTheDefinition) {
  Random random(3);
  for (const float along : {1.F, 9.F, 99.F}) {
    const Tree tree = chain(64, along, 1, &random);
    for (const double aside : {0., .02, .3}) {
      std::vector<float> row(64);
      for (float& x : row) x = random.chance(aside) ? -1.F : 1.F;
      const std::vector<double> parts = shapley_values(tree, row);
      const Definition exact(tree, row, row.size());
      for (std::size_t i = 0; i < row.size(); ++i) ASSERT_NEAR(parts[i], exact.part(i), 1e-13);
    }
  }
}

/// An extremely randomised tree, grown until each row is alone: on skewed columns most thresholds
/// part a few rows from the many.
class ExtraTree {
 public:
  ExtraTree(std::size_t rows, std::size_t columns, Random& random)
      : columns_(columns), random_(random), values_(rows * columns) {
    for (float& value : values_) value = static_cast<float>(std::exp(random.uniform(0, 12)));
    std::vector<std::uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0U);
    tree.nodes.emplace_back();
    grow(0, all);
  }

  [[nodiscard]] std::span<const float> row(std::size_t i) const {
    return std::span(values_).subspan(i * columns_, columns_);
  }

  Tree tree;

 private:
  void grow(std::uint32_t index, const std::vector<std::uint32_t>& rows) {
    tree.nodes[index].cover = static_cast<float>(rows.size());
    if (rows.size() == 1) {
      tree.nodes[index].value = random_.chance(.5) ? 1.F : 0.F;
      return;
    }
    const std::size_t column = random_.below(columns_);
    const auto value = [&](std::uint32_t i) { return values_[i * columns_ + column]; };
    float low = value(rows[0]), high = low;
    for (const std::uint32_t i : rows) {
      low = std::min(low, value(i));
      high = std::max(high, value(i));
    }
    const auto threshold =
        static_cast<float>(random_.uniform(static_cast<double>(low), static_cast<double>(high)));
    std::vector<std::uint32_t> left, right;
    for (const std::uint32_t i : rows) (value(i) < threshold ? left : right).push_back(i);
    if (left.empty() || right.empty()) return grow(index, rows);
    const auto first = static_cast<std::uint32_t>(tree.nodes.size());
    const float cover = tree.nodes[index].cover;
    tree.nodes[index] = {
        static_cast<std::int32_t>(column), threshold, first, first + 1, true, cover};
    tree.nodes.resize(tree.nodes.size() + 2);
    grow(first, left);
    grow(first + 1, right);
  }

  std::size_t columns_;
  Random& random_;
  std::vector<float> values_;
};

TEST(TreeShap, DeepExtraTreesAreExplainedByTheDefinition) {
  Random random(11);
  std::size_t deepest = 0;
  for (int i = 0; i < 3; ++i) {
    const ExtraTree grown(250, 120, random);
    for (const std::size_t row : {0U, 100U}) {
      const std::vector<double> parts = shapley_values(grown.tree, grown.row(row));
      const Definition exact(grown.tree, grown.row(row), parts.size());
      deepest = std::max(deepest, exact.features_max());
      for (std::size_t k = 0; k < parts.size(); ++k) ASSERT_NEAR(parts[k], exact.part(k), 1e-12);
    }
  }
  EXPECT_GE(deepest, 30U);
}

}  // namespace
}  // namespace liminal::models
