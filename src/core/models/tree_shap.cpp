#include "core/models/tree_shap.hpp"

#include <algorithm>
#include <vector>

#include "core/models/quadrature.hpp"

namespace liminal::models {
namespace {

/// What a feature's splits on the way to a node say.
struct Way {
  double zero = 1;  ///< share of rows that go this way when the feature is not known
  bool one = true;  ///< whether this row goes this way
};

std::size_t depth_of(const Tree& tree) {
  std::vector<std::size_t> depths(tree.nodes.size());
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    const TreeNode& node = tree.nodes[i];
    deepest = std::max(deepest, depths[i]);
    if (!node.leaf()) depths[node.left] = depths[node.right] = depths[i] + 1;
  }
  return deepest;
}

class Walk {
 public:
  Walk(const Tree& tree,
       std::span<const float> columns,
       std::span<const std::uint32_t> feature_of,
       std::span<double> contributions)
      : tree_(tree),
        columns_(columns),
        feature_of_(feature_of),
        contributions_(contributions),
        ways_(contributions.size()) {
    const std::size_t depth = depth_of(tree);
    // What is integrated has a degree below the number of features on a way.
    rule_ =
        gauss_legendre(std::max<std::size_t>(1, (std::min(depth, contributions.size()) + 1) / 2));
    chances_.resize((depth + 1) * points());
    sums_.resize((depth + 1) * points());
  }

  double run() {
    std::fill_n(chances_.begin(), points(), 1.);
    visit(0, 0, 1);
    return expectation_;
  }

 private:
  [[nodiscard]] std::size_t points() const { return rule_.points.size(); }
  /// A level's part of `chances_` or `sums_`: one number a point.
  [[nodiscard]] std::span<double> at(std::vector<double>& all, std::size_t level) const {
    return std::span(all).subspan(level * points(), points());
  }

  /// The chance to go a way when the feature is known with chance t.
  static double factor(const Way& way, double t) { return way.zero * (1 - t) + (way.one ? t : 0.); }

  [[nodiscard]] double share(const TreeNode& node, bool left) const {
    const auto own = static_cast<double>(tree_.nodes[left ? node.left : node.right].cover);
    const auto other = static_cast<double>(tree_.nodes[left ? node.right : node.left].cover);
    return own + other > 0 ? own / (own + other) : .5;
  }

  /// Leaves in `sums_` what the leaves below a node add up to at each point, weighed by the chance
  /// to come to them.
  void visit(std::uint32_t index, std::size_t level, double reached) {
    const TreeNode& node = tree_.nodes[index];
    const std::span<double> sums = at(sums_, level);
    if (node.leaf()) {
      const auto value = static_cast<double>(node.value);
      const std::span<const double> chances = at(chances_, level);
      expectation_ += reached * value;
      for (std::size_t k = 0; k < points(); ++k) sums[k] = chances[k] * value;
      return;
    }
    std::fill(sums.begin(), sums.end(), 0.);
    const float x = columns_[static_cast<std::size_t>(node.feature)];
    const bool row_left = x == x ? x < node.value : node.missing_left;
    const std::uint32_t feature = feature_of_[static_cast<std::size_t>(node.feature)];
    const Way before = ways_[feature];
    for (const bool left : {true, false}) {
      const double part = share(node, left);
      const Way now{before.zero * part, before.one && left == row_left};
      if (now.zero == 0 && !now.one) continue;  // nobody comes here
      ways_[feature] = now;
      go_down(level, before, now, part);
      visit(left ? node.left : node.right, level + 1, reached * part);
      const std::span<const double> below = at(sums_, level + 1);
      // Where the row has left the way already, this feature's part is taken above.
      if (before.one)
        contributions_[feature] += change(below, before, now, before.zero * share(node, !left));
      for (std::size_t k = 0; k < points(); ++k) sums[k] += below[k];
    }
    ways_[feature] = before;
  }

  /// The chances of a child: its feature's factor takes the place of the one that was there.
  void go_down(std::size_t level, const Way& before, const Way& now, double part) {
    const std::span<const double> from = at(chances_, level);
    const std::span<double> to = at(chances_, level + 1);
    for (std::size_t k = 0; k < points(); ++k) {
      const double t = rule_.points[k];
      to[k] = from[k] * (before.one ? factor(now, t) / factor(before, t) : part);
    }
  }

  /// By how much more a feature's part weighs the leaves below a child than those of the way before
  /// would: the integral of their sum times (one − zero)/factor now less the same before, brought
  /// to one fraction so that nothing cancels. `lost` is before.zero − now.zero; before.one holds.
  [[nodiscard]] double change(std::span<const double> sums,
                              const Way& before,
                              const Way& now,
                              double lost) const {
    double total = 0;
    for (std::size_t k = 0; k < points(); ++k) {
      const double t = rule_.points[k];
      const double weight = now.one ? lost / (factor(now, t) * factor(before, t))
                                    : -1 / ((1 - t) * factor(before, t));
      total += rule_.weights[k] * sums[k] * weight;
    }
    return total;
  }

  const Tree& tree_;
  std::span<const float> columns_;
  std::span<const std::uint32_t> feature_of_;
  std::span<double> contributions_;
  std::vector<Way> ways_;  ///< by feature; one that was not split by yet goes every way
  Quadrature rule_;
  std::vector<double> chances_;  ///< levels × points: to come to the node that is visited
  std::vector<double> sums_;
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
