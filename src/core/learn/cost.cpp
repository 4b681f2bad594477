#include "core/learn/cost.hpp"

#include <variant>

namespace liminal::learn {
namespace {

constexpr double kLevelUs = .001;
constexpr double kColumnUs = .002;
constexpr double kNodeBytes = 8;

}  // namespace

Cost cost_of(const models::Trees& trees) {
  Cost cost{kColumnUs * static_cast<double>(trees.inputs.columns.size()), 0};
  for (const models::Tree& tree : trees.trees) {
    cost.memory_bytes += kNodeBytes * static_cast<double>(tree.nodes.size());
    const auto root = static_cast<double>(tree.nodes.front().cover);
    for (const models::TreeNode& node : tree.nodes)
      if (!node.leaf() && root > 0)
        cost.us_row += kLevelUs * static_cast<double>(node.cover) / root;
  }
  return cost;
}

Cost cost_of(const models::Linear& linear) {
  const auto columns = static_cast<double>(linear.weights.size());
  return {2 * kColumnUs * columns, 4 * columns};
}

Cost cost_of(const models::Predictor& predictor) {
  if (const auto* trees = std::get_if<models::Trees>(&predictor)) return cost_of(*trees);
  if (const auto* linear = std::get_if<models::Linear>(&predictor)) return cost_of(*linear);
  Cost cost;
  if (const auto* blend = std::get_if<models::Blend>(&predictor)) {
    for (const auto& member : blend->members) {
      if (const auto* trees = std::get_if<models::Trees>(&member.model))
        cost = cost + cost_of(*trees);
      if (const auto* linear = std::get_if<models::Linear>(&member.model))
        cost = cost + cost_of(*linear);
    }
  }
  return cost;
}

}  // namespace liminal::learn
