#include "core/learn/extra_trees.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

constexpr std::uint32_t kDepthMax = 64;

struct Split {
  std::int32_t column = -1;
  float threshold = 0;
  double gain = 0;
};

class Grower {
 public:
  Grower(const Matrix& x,
         std::span<const float> labels,
         std::span<const float> weights,
         const ForestRecipe& recipe)
      : rows_(x.rows),
        columns_(x.columns),
        values_(x.values.size()),
        y_(labels),
        weights_(weights) {
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t k = 0; k < columns_; ++k)
        values_[k * rows_ + i] = x.values[i * columns_ + k];
    const auto columns = static_cast<double>(columns_);
    const double wanted =
        recipe.columns_ratio > 0 ? recipe.columns_ratio * columns : std::sqrt(columns);
    tried_ = std::clamp<std::size_t>(static_cast<std::size_t>(wanted + .5), 1, columns_);
    leaf_rows_ = std::max<std::size_t>({recipe.leaf_rows, 1, 2 * rows_ / kForestNodesMax});
    order_.resize(columns_);
    std::iota(order_.begin(), order_.end(), 0U);
  }

  models::Tree grow(std::uint64_t seed) {
    Random random(seed);
    models::Tree tree;
    members_.resize(rows_);
    std::iota(members_.begin(), members_.end(), 0U);
    waiting_.assign(1, {0, 0, rows_, 0});
    tree.nodes.emplace_back();
    while (!waiting_.empty()) {
      const Part part = waiting_.back();
      waiting_.pop_back();
      grow_node(tree, part, random);
    }
    return tree;
  }

 private:
  struct Part {
    std::uint32_t node;
    std::size_t begin, end;
    std::uint32_t depth;
  };

  [[nodiscard]] double weight(std::size_t row) const {
    return weights_.empty() ? 1 : static_cast<double>(weights_[row]);
  }

  void grow_node(models::Tree& tree, const Part& part, Random& random) {
    double sum = 0, all = 0;
    float low = y_[members_[part.begin]], high = low;
    for (std::size_t i = part.begin; i < part.end; ++i) {
      const std::uint32_t row = members_[i];
      sum += weight(row) * static_cast<double>(y_[row]);
      all += weight(row);
      low = std::min(low, y_[row]);
      high = std::max(high, y_[row]);
    }
    tree.nodes[part.node].cover = static_cast<float>(all);
    tree.nodes[part.node].value = static_cast<float>(sum / all);
    const bool small = part.end - part.begin < 2 * leaf_rows_ || part.depth >= kDepthMax ||
                       tree.nodes.size() + 2 > kForestNodesMax;
    if (small || low == high) return;
    const Split split = choose(part, sum, all, random);
    if (split.column < 0) return;
    const float* const column = values_.data() + static_cast<std::size_t>(split.column) * rows_;
    const auto middle =
        std::partition(members_.begin() + static_cast<std::ptrdiff_t>(part.begin),
                       members_.begin() + static_cast<std::ptrdiff_t>(part.end),
                       [&](std::uint32_t row) { return column[row] < split.threshold; });
    const auto border = static_cast<std::size_t>(middle - members_.begin());
    const auto left = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes.emplace_back();
    tree.nodes.emplace_back();
    models::TreeNode& node = tree.nodes[part.node];
    node.feature = split.column;
    node.value = split.threshold;
    node.left = left;
    node.right = left + 1;
    waiting_.push_back({left + 1, border, part.end, part.depth + 1});
    waiting_.push_back({left, part.begin, border, part.depth + 1});
  }

  /// The best of one random threshold in each of some columns that are not constant here.
  Split choose(const Part& part, double sum, double all, Random& random) {
    Split best;
    std::size_t looked = 0;
    for (std::size_t k = 0; k < columns_ && looked < tried_; ++k) {
      std::swap(order_[k], order_[k + random.below(columns_ - k)]);
      const float* const column = values_.data() + order_[k] * rows_;
      float low = column[members_[part.begin]], high = low;
      for (std::size_t i = part.begin; i < part.end; ++i) {
        const float value = column[members_[i]];
        low = std::min(low, value);
        high = std::max(high, value);
      }
      if (!(low < high)) continue;
      ++looked;
      const double place =
          static_cast<double>(low) +
          random.uniform() * (static_cast<double>(high) - static_cast<double>(low));
      const float threshold =
          std::clamp(static_cast<float>(place), std::nextafter(low, high), high);
      const double gain = this->gain(part, column, threshold, sum, all);
      if (gain > best.gain) best = {static_cast<std::int32_t>(order_[k]), threshold, gain};
    }
    return best;
  }

  /// How much the squared error falls; 0 when a side would be too small.
  [[nodiscard]] double gain(
      const Part& part, const float* column, float threshold, double sum, double all) const {
    double left_sum = 0, left_all = 0;
    std::size_t left_rows = 0;
    for (std::size_t i = part.begin; i < part.end; ++i) {
      const std::uint32_t row = members_[i];
      const bool left = column[row] < threshold;
      const double w = left ? weight(row) : 0;
      left_rows += left ? 1 : 0;
      left_all += w;
      left_sum += w * static_cast<double>(y_[row]);
    }
    const std::size_t right_rows = part.end - part.begin - left_rows;
    if (left_rows < leaf_rows_ || right_rows < leaf_rows_) return 0;
    const double right_sum = sum - left_sum, right_all = all - left_all;
    return left_sum * left_sum / left_all + right_sum * right_sum / right_all - sum * sum / all +
           1e-12 * all;
  }

  std::size_t rows_, columns_;
  std::vector<float> values_;  ///< by columns
  std::span<const float> y_, weights_;
  std::size_t tried_ = 1, leaf_rows_ = 1;
  std::vector<std::size_t> order_;
  std::vector<std::uint32_t> members_;  ///< rows, those of one node beside each other
  std::vector<Part> waiting_;
};

}  // namespace

models::Trees grow_extra_trees(const Matrix& x,
                               std::span<const float> labels,
                               std::span<const float> weights,
                               const ForestRecipe& recipe,
                               std::uint64_t seed,
                               const Stop& stop) {
  LIMINAL_CHECK(labels.size() == x.rows && (weights.empty() || weights.size() == x.rows));
  models::Trees forest;
  forest.mean = true;
  if (x.rows == 0 || x.columns == 0) return forest;
  Grower grower(x, labels, weights, recipe);
  Random seeds(seed);
  for (std::uint32_t i = 0; i < recipe.trees && !stop(); ++i)
    forest.trees.push_back(grower.grow(seeds.bits()));
  return forest;
}

}  // namespace liminal::learn
