#include "core/models/tree_shap.hpp"

#include <algorithm>
#include <vector>

namespace liminal::models {
namespace {

/// A feature on the way to a node, and the weight of the subsets by their size (the paper's m).
struct Step {
  std::uint32_t feature = 0;
  double zero = 0;  ///< share of rows that go this way when the feature is not known
  double one = 0;   ///< 1 when this row goes this way, else 0
  double weight = 0;
};

double real(std::size_t n) { return static_cast<double>(n); }

/// Features met from the root down; the first step is a placeholder. The steps of all nodes on the
/// way are kept in one arena, a node's behind its parent's, so that going back costs nothing.
class Path {
 public:
  explicit Path(std::vector<Step>& arena) : arena_(arena) { arena_.clear(); }

  /// A copy of a path at the arena's end. What stood there was of a node that is done with.
  Path(const Path& parent) : arena_(parent.arena_), first_(parent.first_ + parent.count_) {
    count_ = parent.count_;
    if (arena_.size() < first_ + count_ + 1) arena_.resize(first_ + count_ + 1);
    std::copy_n(parent.begin(), count_, begin());
  }
  Path& operator=(const Path&) = delete;

  void extend(double zero, double one, std::uint32_t feature) {
    const std::size_t depth = count_++;
    if (arena_.size() < first_ + count_) arena_.resize(first_ + count_);
    Step* const steps = begin();
    steps[depth] = {feature, zero, one, depth == 0 ? 1. : 0.};
    for (std::size_t i = depth; i-- > 0;) {
      steps[i + 1].weight += one * steps[i].weight * real(i + 1) / real(depth + 1);
      steps[i].weight = zero * steps[i].weight * real(depth - i) / real(depth + 1);
    }
  }

  /// Takes a step away again, as if it had never been taken.
  void unwind(std::size_t index) {
    const std::size_t depth = count_ - 1;
    Step* const steps = begin();
    const auto [feature, zero, one, weight] = steps[index];
    double next = steps[depth].weight;
    for (std::size_t i = depth; i-- > 0;) {
      if (one != 0) {
        const double kept = steps[i].weight;
        steps[i].weight = next * real(depth + 1) / (real(i + 1) * one);
        next = kept - steps[i].weight * zero * real(depth - i) / real(depth + 1);
      } else {
        steps[i].weight = steps[i].weight * real(depth + 1) / (zero * real(depth - i));
      }
    }
    for (std::size_t i = index; i < depth; ++i) {
      steps[i].feature = steps[i + 1].feature;
      steps[i].zero = steps[i + 1].zero;
      steps[i].one = steps[i + 1].one;
    }
    --count_;
  }

  /// The sum of the weights that would be left without a step.
  [[nodiscard]] double unwound_sum(std::size_t index) const {
    const std::size_t depth = count_ - 1;
    const Step* const steps = begin();
    const double one = steps[index].one;
    const double zero = steps[index].zero;
    double next = steps[depth].weight;
    double total = 0;
    for (std::size_t i = depth; i-- > 0;) {
      if (one != 0) {
        const double weight = next * real(depth + 1) / (real(i + 1) * one);
        total += weight;
        next = steps[i].weight - weight * zero * real(depth - i) / real(depth + 1);
      } else {
        total += steps[i].weight * real(depth + 1) / (zero * real(depth - i));
      }
    }
    return total;
  }

  [[nodiscard]] std::size_t find(std::uint32_t feature) const {
    for (std::size_t i = 1; i < count_; ++i) {
      if (begin()[i].feature == feature) return i;
    }
    return 0;
  }

  [[nodiscard]] std::span<const Step> steps() const { return {begin(), count_}; }

 private:
  [[nodiscard]] Step* begin() const { return arena_.data() + first_; }

  std::vector<Step>& arena_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

class Walk {
 public:
  Walk(const Tree& tree,
       std::span<const float> columns,
       std::span<const std::uint32_t> feature_of,
       std::span<double> contributions)
      : tree_(tree), columns_(columns), feature_of_(feature_of), contributions_(contributions) {}

  double run() {
    std::vector<Step> arena;
    descend(0, 1, Path(arena), 1, 1, 0);
    return expectation_;
  }

 private:
  void descend(std::size_t index,
               double reached,
               Path path,
               double zero,
               double one,
               std::uint32_t feature) {
    path.extend(zero, one, feature);
    const TreeNode& node = tree_.nodes[index];
    if (node.leaf()) return leaf(path, static_cast<double>(node.value), reached);

    const float x = columns_[static_cast<std::size_t>(node.feature)];
    const bool left = x == x ? x < node.value : node.missing_left;
    const std::uint32_t split = feature_of_[static_cast<std::size_t>(node.feature)];
    double known_zero = 1;
    double known_one = 1;
    if (const std::size_t before = path.find(split); before != 0) {
      known_zero = path.steps()[before].zero;
      known_one = path.steps()[before].one;
      path.unwind(before);
    }
    for (const bool side : {true, false}) {
      const double share = side ? left_share(node) : 1 - left_share(node);
      const double child_one = side == left ? known_one : 0;
      // Neither a row like the training's nor this row comes here: nothing to add, nothing to
      // divide by.
      if (share * known_zero == 0 && child_one == 0) continue;
      descend(side ? node.left : node.right,
              reached * share,
              path,
              share * known_zero,
              child_one,
              split);
    }
  }

  void leaf(const Path& path, double value, double reached) {
    expectation_ += reached * value;
    const std::span<const Step> steps = path.steps();
    for (std::size_t i = 1; i < steps.size(); ++i) {
      contributions_[steps[i].feature] +=
          path.unwound_sum(i) * (steps[i].one - steps[i].zero) * value;
    }
  }

  [[nodiscard]] double left_share(const TreeNode& node) const {
    const auto left = static_cast<double>(tree_.nodes[node.left].cover);
    const auto right = static_cast<double>(tree_.nodes[node.right].cover);
    return left + right > 0 ? left / (left + right) : .5;
  }

  const Tree& tree_;
  std::span<const float> columns_;
  std::span<const std::uint32_t> feature_of_;
  std::span<double> contributions_;
  double expectation_ = 0;
};

}  // namespace

double add_shapley_values(const Tree& tree,
                          std::span<const float> columns,
                          std::span<const std::uint32_t> feature_of,
                          std::span<double> contributions) {
  return Walk(tree, columns, feature_of, contributions).run();
}

}  // namespace liminal::models
