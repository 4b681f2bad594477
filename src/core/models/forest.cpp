#include "core/models/forest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace liminal::models {
namespace {

constexpr std::int32_t kSmallest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
constexpr unsigned kSlotBits = 12;
constexpr std::uint32_t kSlotMask = (1U << kSlotBits) - 1;
static_assert(2 * kColumnsMax < kSlotMask + 1);
/// Walked in lockstep: enough loads in flight to hide their latency.
constexpr std::size_t kLanes = 8;

/// An integer that compares as the float does; not for NaN.
std::int32_t key(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x + 0.F);  // −0 becomes 0
  return bits ^ ((bits >> 31) & kLargest);
}

std::uint64_t pack(std::int32_t threshold, std::uint32_t left, std::uint32_t slot) {
  return std::uint64_t{std::bit_cast<std::uint32_t>(threshold)} << 32 | (left << kSlotBits | slot);
}

std::int32_t threshold_of(std::uint64_t node) {
  return std::bit_cast<std::int32_t>(static_cast<std::uint32_t>(node >> 32));
}

float value_of(std::uint64_t leaf) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(leaf >> 32));
}

std::uint32_t next(const std::uint64_t* tree, std::uint32_t at, const std::int32_t* keys) {
  const std::uint64_t node = tree[at];
  const auto low = static_cast<std::uint32_t>(node);
  return (low >> kSlotBits) +
         static_cast<std::uint32_t>(keys[low & kSlotMask] >= threshold_of(node));
}

/// Walks lanes in lockstep. Trees grown leaf by leaf are deep in few places: every four levels it
/// is asked whether anything still moves.
template <std::size_t kCount>
void walk(const std::array<const std::uint64_t*, kCount>& trees,
          const std::array<const std::int32_t*, kCount>& keys,
          std::uint32_t depth,
          std::array<std::uint32_t, kCount>& at) {
  at.fill(1);
  std::uint32_t level = 0;
  for (; level + 4 <= depth; level += 4) {
    for (int i = 0; i < 3; ++i) {
      for (std::size_t lane = 0; lane < kCount; ++lane)
        at[lane] = next(trees[lane], at[lane], keys[lane]);
    }
    std::uint32_t moved = 0;
    for (std::size_t lane = 0; lane < kCount; ++lane) {
      const std::uint32_t to = next(trees[lane], at[lane], keys[lane]);
      moved |= to ^ at[lane];
      at[lane] = to;
    }
    if (moved == 0) return;
  }
  for (; level < depth; ++level) {
    for (std::size_t lane = 0; lane < kCount; ++lane)
      at[lane] = next(trees[lane], at[lane], keys[lane]);
  }
}

}  // namespace

Forest::Forest(std::span<const Tree> trees, std::size_t columns) : columns_(columns) {
  std::size_t count = 0;
  for (const Tree& tree : trees) {
    count += tree.nodes.size() + 1;
    for (const TreeNode& node : tree.nodes) doubled_ |= !node.leaf() && !node.missing_left;
  }
  nodes_.reserve(count);
  roots_.reserve(trees.size());
  for (const Tree& tree : trees) add(tree);
}

/// Breadth first, so that siblings are neighbours and the upper levels share cache lines. Node 0 of
/// each tree is empty: a leaf at the root stays there too.
void Forest::add(const Tree& tree) {
  struct Pending {
    std::uint32_t node = 0;
    std::uint32_t depth = 0;
  };
  std::vector<Pending> order;
  order.reserve(tree.nodes.size());
  order.push_back({});
  Root root{static_cast<std::uint32_t>(nodes_.size()), 0};
  nodes_.push_back(0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto [index, depth] = order[i];
    const TreeNode& node = tree.nodes[index];
    const auto place = static_cast<std::uint32_t>(i) + 1;
    root.depth = std::max(root.depth, depth);
    if (node.leaf()) {
      nodes_.push_back(pack(std::bit_cast<std::int32_t>(node.value), place - 1, 0));
      continue;
    }
    const auto left = static_cast<std::uint32_t>(order.size()) + 1;
    const std::size_t copy = node.missing_left ? 0 : columns_;
    const auto slot = static_cast<std::uint32_t>(1 + static_cast<std::size_t>(node.feature) + copy);
    nodes_.push_back(pack(key(node.value), left, slot));
    order.push_back({node.left, depth + 1});
    order.push_back({node.right, depth + 1});
  }
  roots_.push_back(root);
}

void Forest::make_keys(std::span<const float> columns, std::int32_t* keys) const {
  keys[0] = kLargest;
  for (std::size_t i = 0; i < columns_; ++i) {
    const float x = columns[i];
    keys[1 + i] = x == x ? key(x) : kSmallest;
  }
  if (!doubled_) return;
  for (std::size_t i = 0; i < columns_; ++i) {
    const float x = columns[i];
    keys[1 + columns_ + i] = x == x ? key(x) : kLargest;
  }
}

double Forest::sum(const std::int32_t* keys) const {
  double total = 0;
  std::array<const std::uint64_t*, kLanes> trees;
  std::array<std::uint32_t, kLanes> at;
  std::array<const std::int32_t*, kLanes> same;
  same.fill(keys);
  std::size_t i = 0;
  for (; i + kLanes <= roots_.size(); i += kLanes) {
    std::uint32_t depth = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      trees[lane] = nodes_.data() + roots_[i + lane].first;
      depth = std::max(depth, roots_[i + lane].depth);
    }
    walk(trees, same, depth, at);
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      total += static_cast<double>(value_of(trees[lane][at[lane]]));
  }
  for (; i < roots_.size(); ++i) {
    const std::uint64_t* const tree = nodes_.data() + roots_[i].first;
    std::array<std::uint32_t, 1> one;
    walk<1>({tree}, {keys}, roots_[i].depth, one);
    total += static_cast<double>(value_of(tree[one[0]]));
  }
  return total;
}

void Forest::sums(const std::int32_t* keys, std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0.);
  const std::size_t stride = slots();
  for (const Root& root : roots_) {
    const std::uint64_t* const tree = nodes_.data() + root.first;
    std::array<const std::uint64_t*, kLanes> same;
    same.fill(tree);
    std::array<std::uint32_t, kLanes> at;
    std::array<const std::int32_t*, kLanes> rows;
    std::size_t i = 0;
    for (; i + kLanes <= out.size(); i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) rows[lane] = keys + (i + lane) * stride;
      walk(same, rows, root.depth, at);
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        out[i + lane] += static_cast<double>(value_of(tree[at[lane]]));
    }
    for (; i < out.size(); ++i) {
      std::array<std::uint32_t, 1> one;
      walk<1>({tree}, {keys + i * stride}, root.depth, one);
      out[i] += static_cast<double>(value_of(tree[one[0]]));
    }
  }
}

std::size_t Forest::memory_bytes() const {
  return nodes_.capacity() * sizeof(std::uint64_t) + roots_.capacity() * sizeof(Root);
}

}  // namespace liminal::models
