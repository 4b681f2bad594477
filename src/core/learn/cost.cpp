#include "core/learn/cost.hpp"

#include <variant>

namespace liminal::learn {
namespace {

constexpr double kLevelUs = .001;
constexpr double kColumnUs = .002;
constexpr double kNodeBytes = 8;

constexpr double kNumberUs = .0005;
constexpr double kNumberBytes = 4;

Cost of_trees(const std::vector<models::Tree>& trees, const models::Inputs& inputs) {
  Cost cost{kColumnUs * static_cast<double>(inputs.columns.size()), 0};
  for (const models::Tree& tree : trees) {
    cost.memory_bytes += kNodeBytes * static_cast<double>(tree.nodes.size());
    const auto root = static_cast<double>(tree.nodes.front().cover);
    for (const models::TreeNode& node : tree.nodes)
      if (!node.leaf() && root > 0)
        cost.us_row += kLevelUs * static_cast<double>(node.cover) / root;
  }
  return cost;
}

Cost of_numbers(std::size_t numbers, const models::Inputs& inputs) {
  const auto count = static_cast<double>(numbers);
  return {kNumberUs * count + kColumnUs * static_cast<double>(inputs.columns.size()),
          kNumberBytes * count};
}

}  // namespace

Cost cost_of(const models::Trees& trees) { return of_trees(trees.trees, trees.inputs); }

Cost cost_of(const models::Linear& linear) {
  const auto columns = static_cast<double>(linear.weights.size());
  return {2 * kColumnUs * columns, kNumberBytes * columns};
}

Cost cost_of(const models::Mlp& network) {
  std::size_t numbers = 0;
  for (const models::Layer& layer : network.layers)
    numbers += layer.weights.size() + layer.bias.size();
  return of_numbers(numbers, network.inputs);
}

Cost cost_of(const models::KMeans& clusters) {
  return of_numbers(clusters.centroids.size(), clusters.inputs);
}

Cost cost_of(const models::IsolationForest& forest) {
  return of_trees(forest.trees, forest.inputs);
}

Cost cost_of(const models::Blend& blend) {
  Cost cost;
  for (const auto& member : blend.members)
    cost = cost + std::visit([](const auto& model) { return cost_of(model); }, member.model);
  return cost;
}

Cost cost_of(const models::Predictor& predictor) {
  return std::visit([](const auto& model) { return cost_of(model); }, predictor);
}

}  // namespace liminal::learn
