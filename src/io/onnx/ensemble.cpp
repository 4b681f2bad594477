#include "io/onnx/ensemble.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "io/onnx/graph.hpp"

namespace liminal::onnx {
namespace {

using models::Tree;
using models::TreeNode;

/// The attributes in the order in which they are written.
struct Columns {
  std::vector<std::int64_t> trees, nodes, features, left, right, missing_true;
  std::vector<float> values, covers;
  std::vector<std::string> modes;
  std::vector<std::int64_t> leaf_trees, leaf_nodes, leaf_targets;
  std::vector<float> leaf_weights;

  void add(std::int64_t tree, std::int64_t number, const TreeNode& node) {
    trees.push_back(tree);
    nodes.push_back(number);
    features.push_back(node.leaf() ? 0 : node.feature);
    values.push_back(node.leaf() ? 0 : node.value);
    left.push_back(node.leaf() ? 0 : node.left);
    right.push_back(node.leaf() ? 0 : node.right);
    missing_true.push_back(!node.leaf() && node.missing_left ? 1 : 0);
    covers.push_back(node.cover);
    modes.emplace_back(node.leaf() ? "LEAF" : "BRANCH_LT");
    if (!node.leaf()) return;
    leaf_trees.push_back(tree);
    leaf_nodes.push_back(number);
    leaf_targets.push_back(0);
    leaf_weights.push_back(node.value);
  }
};

/// How a comparison of ONNX becomes "x < threshold goes left".
struct Comparison {
  bool true_is_left = true;
  bool or_equal = false;  ///< equality goes left: the threshold is the next number after it
};

std::optional<Comparison> comparison(std::string_view mode) {
  if (mode == "BRANCH_LT") return Comparison{true, false};
  if (mode == "BRANCH_LEQ") return Comparison{true, true};
  if (mode == "BRANCH_GTE") return Comparison{false, false};
  if (mode == "BRANCH_GT") return Comparison{false, true};
  return std::nullopt;
}

class EnsembleReader {
 public:
  EnsembleReader(const ::onnx::NodeProto& node, std::string_view weights)
      : node_(node), weights_(weights) {}

  Read<Ensemble> read();

 private:
  using Key = std::pair<std::int64_t, std::int64_t>;  ///< tree and node, as numbered in the file
  struct Place {
    std::uint32_t tree = 0;
    std::uint32_t node = 0;
  };

  [[nodiscard]] std::string at(std::size_t i) const {
    return node_.op_type() + " node " + std::to_string(numbers_[i]) + " of tree " +
           std::to_string(trees_[i]);
  }

  Read<void> check_attributes();
  Read<void> place_nodes();
  Read<void> link(std::size_t i);
  Read<void> order_tree(std::uint32_t tree);
  Read<void> read_leaves();
  [[nodiscard]] Read<std::uint32_t> child(std::size_t i, std::int64_t number) const;

  const ::onnx::NodeProto& node_;
  std::string weights_;
  std::span<const std::int64_t> trees_, numbers_, features_, true_, false_, missing_true_;
  std::span<const float> values_, covers_;
  const ::onnx::AttributeProto* modes_ = nullptr;
  std::map<Key, Place> places_;                         ///< before the trees are put in order
  std::vector<Place> listed_;                           ///< the same by place in the attributes
  std::vector<std::vector<std::uint32_t>> renumbered_;  ///< by tree; empty: as it was
  Ensemble ensemble_;
};

Read<void> EnsembleReader::check_attributes() {
  for (const ::onnx::AttributeProto& attribute : node_.attribute()) {
    if (attribute.name().ends_with("_as_tensor"))
      return unsupported(node_.op_type() + ": " + attribute.name() + " (doubles)");
  }
  trees_ = integers(node_, "nodes_treeids");
  numbers_ = integers(node_, "nodes_nodeids");
  features_ = integers(node_, "nodes_featureids");
  true_ = integers(node_, "nodes_truenodeids");
  false_ = integers(node_, "nodes_falsenodeids");
  missing_true_ = integers(node_, "nodes_missing_value_tracks_true");
  values_ = floats(node_, "nodes_values");
  covers_ = floats(node_, "nodes_hitrates");
  modes_ = attribute(node_, "nodes_modes");
  const std::size_t count = trees_.size();
  if (count == 0) return broken(node_.op_type() + " has no nodes");
  const bool even = numbers_.size() == count && features_.size() == count &&
                    true_.size() == count && false_.size() == count && values_.size() == count &&
                    modes_ != nullptr &&
                    static_cast<std::size_t>(modes_->strings_size()) == count &&
                    (missing_true_.empty() || missing_true_.size() == count) &&
                    (covers_.empty() || covers_.size() == count);
  if (!even) return broken(node_.op_type() + ": its nodes_ attributes differ in length");
  return {};
}

Read<void> EnsembleReader::place_nodes() {
  std::map<std::int64_t, std::uint32_t> tree_places;
  listed_.reserve(trees_.size());
  for (std::size_t i = 0; i < trees_.size(); ++i) {
    const auto [found, is_new] =
        tree_places.emplace(trees_[i], static_cast<std::uint32_t>(ensemble_.trees.size()));
    if (is_new) ensemble_.trees.emplace_back();
    std::vector<TreeNode>& nodes = ensemble_.trees[found->second].nodes;
    const Place place{found->second, static_cast<std::uint32_t>(nodes.size())};
    nodes.emplace_back();
    nodes.back().cover = covers_.empty() ? 0 : covers_[i];
    listed_.push_back(place);
    if (!places_.emplace(Key{trees_[i], numbers_[i]}, place).second)
      return broken(at(i) + " is there twice");
  }
  return {};
}

Read<std::uint32_t> EnsembleReader::child(std::size_t i, std::int64_t number) const {
  const auto found = places_.find(Key{trees_[i], number});
  if (found == places_.end()) return broken(at(i) + ": it has no child " + std::to_string(number));
  return found->second.node;
}

Read<void> EnsembleReader::link(std::size_t i) {
  const std::string& mode = modes_->strings(static_cast<int>(i));
  if (mode == "LEAF") return {};
  const std::optional<Comparison> how = comparison(mode);
  if (!how) return unsupported(at(i) + ": " + mode);
  if (features_[i] < 0 || features_[i] >= static_cast<std::int64_t>(models::kColumnsMax))
    return unsupported(at(i) + ": feature " + std::to_string(features_[i]));
  const Read<std::uint32_t> on_true = child(i, true_[i]);
  const Read<std::uint32_t> on_false = child(i, false_[i]);
  if (!on_true) return tl::unexpected(on_true.error());
  if (!on_false) return tl::unexpected(on_false.error());
  TreeNode& node = ensemble_.trees[listed_[i].tree].nodes[listed_[i].node];
  node.feature = static_cast<std::int32_t>(features_[i]);
  node.value = how->or_equal ? std::nextafter(values_[i], std::numeric_limits<float>::infinity())
                             : values_[i];
  node.left = how->true_is_left ? *on_true : *on_false;
  node.right = how->true_is_left ? *on_false : *on_true;
  // Missing values take the false side unless the node says otherwise.
  const bool missing_true = !missing_true_.empty() && missing_true_[i] != 0;
  node.missing_left = missing_true == how->true_is_left;
  return {};
}

/// Children after their parents, the root first. A tree that is so already keeps its numbers.
Read<void> EnsembleReader::order_tree(std::uint32_t tree) {
  std::vector<TreeNode>& nodes = ensemble_.trees[tree].nodes;
  const auto name = [&] { return node_.op_type() + " tree " + std::to_string(tree); };
  std::vector<bool> is_child(nodes.size());
  bool ordered = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].leaf()) continue;
    for (const std::uint32_t to : {nodes[i].left, nodes[i].right}) {
      if (is_child[to]) return broken(name() + " is no tree: two nodes share a child");
      is_child[to] = true;
      ordered = ordered && to > i;
    }
  }
  const auto root = std::find(is_child.begin(), is_child.end(), false);
  if (root == is_child.end()) return broken(name() + " is a cycle");
  if (std::find(root + 1, is_child.end(), false) != is_child.end())
    return broken(name() + " has several roots");
  if (ordered) return {};

  std::vector<std::uint32_t> order{static_cast<std::uint32_t>(root - is_child.begin())};
  std::vector<std::uint32_t> place(nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = static_cast<std::uint32_t>(i);
    const TreeNode& node = nodes[order[i]];
    if (!node.leaf()) order.insert(order.end(), {node.left, node.right});
  }
  if (order.size() != nodes.size()) return broken(name() + " holds a cycle");
  std::vector<TreeNode> sorted;
  sorted.reserve(nodes.size());
  for (const std::uint32_t from : order) {
    TreeNode node = nodes[from];
    if (!node.leaf()) {
      node.left = place[node.left];
      node.right = place[node.right];
    }
    sorted.push_back(node);
  }
  nodes = std::move(sorted);
  renumbered_[tree] = std::move(place);
  return {};
}

Read<void> EnsembleReader::read_leaves() {
  const auto trees = integers(node_, weights_ + "_treeids");
  const auto numbers = integers(node_, weights_ + "_nodeids");
  const auto targets = integers(node_, weights_ + "_ids");
  const auto values = floats(node_, weights_ + "_weights");
  const std::string list = node_.op_type() + ": its " + weights_ + "_ attributes";
  if (trees.size() != values.size() || numbers.size() != values.size() ||
      targets.size() != values.size())
    return broken(list + " differ in length");
  std::set<std::pair<Key, std::int64_t>> seen;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto found = places_.find(Key{trees[i], numbers[i]});
    if (found == places_.end()) return broken(list + " name a node that is not there");
    auto [tree, number] = found->second;
    if (!renumbered_[tree].empty()) number = renumbered_[tree][number];
    if (!ensemble_.trees[tree].nodes[number].leaf())
      return broken(list + " name a node that is no leaf");
    if (!seen.emplace(found->first, targets[i]).second) return broken(list + " name a leaf twice");
    ensemble_.leaves.push_back({tree, number, targets[i], values[i]});
  }
  return {};
}

Read<Ensemble> EnsembleReader::read() {
  if (auto done = check_attributes(); !done) return tl::unexpected(done.error());
  if (auto done = place_nodes(); !done) return tl::unexpected(done.error());
  for (std::size_t i = 0; i < listed_.size(); ++i) {
    if (auto done = link(i); !done) return tl::unexpected(done.error());
  }
  renumbered_.resize(ensemble_.trees.size());
  for (std::uint32_t tree = 0; tree < ensemble_.trees.size(); ++tree) {
    if (auto done = order_tree(tree); !done) return tl::unexpected(done.error());
  }
  if (auto done = read_leaves(); !done) return tl::unexpected(done.error());
  return std::move(ensemble_);
}

}  // namespace

void set_trees(::onnx::NodeProto& node, std::span<const Tree> trees) {
  Columns columns;
  for (std::size_t tree = 0; tree < trees.size(); ++tree) {
    for (std::size_t i = 0; i < trees[tree].nodes.size(); ++i) {
      columns.add(
          static_cast<std::int64_t>(tree), static_cast<std::int64_t>(i), trees[tree].nodes[i]);
    }
  }
  set(node, "nodes_treeids", columns.trees);
  set(node, "nodes_nodeids", columns.nodes);
  set(node, "nodes_featureids", columns.features);
  set(node, "nodes_values", columns.values);
  set(node, "nodes_hitrates", columns.covers);
  set(node, "nodes_modes", columns.modes);
  set(node, "nodes_truenodeids", columns.left);
  set(node, "nodes_falsenodeids", columns.right);
  set(node, "nodes_missing_value_tracks_true", columns.missing_true);
  set(node, "target_treeids", columns.leaf_trees);
  set(node, "target_nodeids", columns.leaf_nodes);
  set(node, "target_ids", columns.leaf_targets);
  set(node, "target_weights", columns.leaf_weights);
}

Read<Ensemble> read_ensemble(const ::onnx::NodeProto& node, std::string_view weights) {
  return EnsembleReader(node, weights).read();
}

}  // namespace liminal::onnx
