#include "core/learn/mixer.hpp"

#include <utility>

namespace liminal::learn {

void Mixer::add(const std::vector<const Fit*>& fits, double weight) {
  const double each = weight / static_cast<double>(fits.size());
  if (std::holds_alternative<models::Linear>(fits.front()->model)) {
    for (const Fit* fit : fits) add_linear(std::get<models::Linear>(fit->model), each);
    return;
  }
  const auto& first = std::get<models::Trees>(fits.front()->model);
  if (first.link != models::Link::kProbability && !first.mean) {
    for (const Fit* fit : fits) add_sum(std::get<models::Trees>(fit->model), each);
    return;
  }
  models::Trees forest = first;
  for (std::size_t i = 1; i < fits.size(); ++i) {
    const auto& more = std::get<models::Trees>(fits[i]->model).trees;
    forest.trees.insert(forest.trees.end(), more.begin(), more.end());
  }
  members_.push_back({static_cast<float>(weight), std::move(forest)});
}

models::Predictor Mixer::finish(double slope, double intercept) && {
  const auto link = material_.loss.classes() ? models::Link::kLogistic : models::Link::kIdentity;
  if (members_.empty() && linear_.weights.empty()) {
    for (models::Tree& tree : sum_.trees)
      for (models::TreeNode& node : tree.nodes)
        if (node.leaf()) node.value = static_cast<float>(slope * static_cast<double>(node.value));
    sum_.base = static_cast<float>(slope * base_ + intercept);
    sum_.inputs = material_.encoding.trees;
    sum_.link = link;
    return std::move(sum_);
  }
  if (!sum_.trees.empty()) {
    sum_.base = static_cast<float>(base_);
    sum_.inputs = material_.encoding.trees;
    sum_.link = link;
    members_.insert(members_.begin(), {1.F, std::move(sum_)});
  }
  if (!linear_.weights.empty()) {
    linear_.inputs = material_.encoding.scaled;
    linear_.link = link;
    members_.push_back({1.F, std::move(linear_)});
  }
  return models::Blend{
      std::move(members_), static_cast<float>(slope), static_cast<float>(intercept), link};
}

void Mixer::add_sum(const models::Trees& trees, double weight) {
  base_ += weight * static_cast<double>(trees.base);
  for (models::Tree tree : trees.trees) {
    for (models::TreeNode& node : tree.nodes)
      if (node.leaf()) node.value = static_cast<float>(weight * static_cast<double>(node.value));
    sum_.trees.push_back(std::move(tree));
  }
}

void Mixer::add_linear(const models::Linear& linear, double weight) {
  linear_.weights.resize(linear.weights.size());
  for (std::size_t k = 0; k < linear.weights.size(); ++k)
    linear_.weights[k] += static_cast<float>(weight * static_cast<double>(linear.weights[k]));
  linear_.intercept += static_cast<float>(weight * static_cast<double>(linear.intercept));
}

}  // namespace liminal::learn
