#include "core/learn/cost.hpp"

#include <algorithm>
#include <span>
#include <variant>

namespace liminal::learn {
namespace {

constexpr double kLevelUs = .0013;
constexpr double kColumnUs = .002;
constexpr double kNodeBytes = 8;

constexpr double kNumberUs = .0005;
constexpr double kNumberBytes = 4;

/// As models::Forest: so many trees are walked at once, in steps where they are deep.
constexpr std::size_t kLanes = 8;
constexpr std::size_t kDeep = 8, kStep = 4;

/// The share of the training rows that has come to a leaf after so many levels; the last is 1.
std::vector<double> arrived(const models::Tree& tree) {
  struct Place {
    std::uint32_t node = 0;
    std::size_t depth = 0;
  };
  const auto root = static_cast<double>(tree.nodes.front().cover);
  std::vector<double> share;
  std::vector<Place> open{{}};
  while (!open.empty()) {
    const auto [index, depth] = open.back();
    open.pop_back();
    const models::TreeNode& node = tree.nodes[index];
    if (depth >= share.size()) share.resize(depth + 1);
    if (node.leaf()) {
      share[depth] += root > 0 ? static_cast<double>(node.cover) / root : 0;
      continue;
    }
    open.push_back({node.left, depth + 1});
    open.push_back({node.right, depth + 1});
  }
  for (std::size_t depth = 1; depth < share.size(); ++depth) share[depth] += share[depth - 1];
  share.back() = 1;
  return share;
}

/// The levels that a row is walked through trees in lockstep, on average.
double levels(std::span<const models::Tree> trees) {
  std::vector<std::vector<double>> shares;
  std::size_t deepest = 0;
  for (const models::Tree& tree : trees) {
    shares.push_back(arrived(tree));
    deepest = std::max(deepest, shares.back().size() - 1);
  }
  double walked = 0, walking = 1;
  std::size_t at = 0;
  for (; deepest - at > kDeep; at += kStep) {
    walked += static_cast<double>(kStep) * walking;
    double all = 1;
    for (const auto& share : shares) all *= share[std::min(at + kStep, share.size() - 1)];
    walking = std::min(walking, 1 - all);
  }
  return walked + walking * static_cast<double>(deepest - at);
}

Cost of_trees(const std::vector<models::Tree>& trees, const models::Inputs& inputs) {
  Cost cost{kColumnUs * static_cast<double>(inputs.columns.size()), 0};
  for (const models::Tree& tree : trees)
    cost.memory_bytes += kNodeBytes * static_cast<double>(tree.nodes.size());
  const std::span<const models::Tree> all(trees);
  for (std::size_t first = 0; first < all.size(); first += kLanes) {
    const auto group = all.subspan(first, std::min(kLanes, all.size() - first));
    cost.us_row += kLevelUs * static_cast<double>(group.size()) * levels(group);
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
