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
/// Walked in lockstep: enough loads in flight to hide their latency, few enough for registers.
constexpr std::size_t kLanes = 8;
/// Keys of the rows of one call: half of a first-level cache.
constexpr std::size_t kScratch = 4096;
static_assert(kScratch >= 1 + 2 * kColumnsMax);
/// Trees grown leaf by leaf are deep in few places: those deeper are asked on the way whether
/// anything still moves.
constexpr std::uint32_t kDeep = 8;

/// An integer that compares as the float does; not for NaN.
std::int32_t key_of(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x + 0.F);  // −0 becomes 0
  return bits ^ ((bits >> 31) & kLargest);
}

}  // namespace

Forest::Node Forest::pack(std::int32_t key, std::int32_t way, std::size_t slot) {
  return {std::bit_cast<std::uint32_t>(way) << kSlotBits | static_cast<std::uint32_t>(slot), key};
}

double Forest::value(const Node& leaf) {
  return static_cast<double>(std::bit_cast<float>(leaf.key));
}

/// One level. The key of a slot is at slot · kStep.
template <std::size_t kStep>
inline void Forest::step(const Node*& at, const std::int32_t* keys) {
  const std::uint32_t way = at->way;
  const bool right = keys[(way & kSlotMask) * kStep] >= at->key;
  at += (std::bit_cast<std::int32_t>(way) >> kSlotBits) + (right ? 1 : 0);
}

/// Walks lanes in lockstep to the depth of the deepest. With a step, each lane has keys of its own,
/// side by side.
template <std::size_t kStep, class Lanes>
inline void Forest::walk(Lanes& at, const std::int32_t* keys, std::uint32_t depth) {
  const auto all = [&] {
    for (std::size_t lane = 0; lane < at.size(); ++lane)
      step<kStep>(at[lane], keys + (kStep > 1 ? lane : 0));
  };
  for (; depth > kDeep; depth -= 4) {
    for (int i = 0; i < 4; ++i) all();
    std::uint32_t slots = 0;  // that are read next: a leaf's is 0
    for (const Node* const node : at) slots |= node->way & kSlotMask;
    if (slots == 0) return;
  }
  for (; depth > 0; --depth) all();
}

Forest::Forest(std::span<const Tree> trees, std::size_t columns) : columns_(columns) {
  std::size_t count = 0;
  for (const Tree& tree : trees) {
    count += tree.nodes.size();
    for (const TreeNode& node : tree.nodes) doubled_ |= !node.leaf() && !node.missing_left;
  }
  nodes_.reserve(count);
  roots_.reserve(trees.size());
  for (const Tree& tree : trees) add(tree);
}

/// Breadth first, so that siblings are neighbours and the upper levels share cache lines; a way to
/// a child is then at most as long as the tree has leaves.
void Forest::add(const Tree& tree) {
  struct Pending {
    std::uint32_t node = 0;
    std::uint32_t depth = 0;
  };
  std::vector<Pending> order;
  order.reserve(tree.nodes.size());
  order.push_back({});
  Root root{static_cast<std::uint32_t>(nodes_.size()), 0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto [index, depth] = order[i];
    const TreeNode& node = tree.nodes[index];
    root.depth = std::max(root.depth, depth);
    if (node.leaf()) {
      nodes_.push_back(pack(std::bit_cast<std::int32_t>(node.value), -1, 0));
      continue;
    }
    const std::size_t copy = node.missing_left ? 0 : columns_;
    nodes_.push_back(pack(key_of(node.value),
                          static_cast<std::int32_t>(order.size() - i),
                          1 + static_cast<std::size_t>(node.feature) + copy));
    order.push_back({node.left, depth + 1});
    order.push_back({node.right, depth + 1});
  }
  roots_.push_back(root);
}

std::size_t Forest::rows_max() const {
  return std::clamp(kScratch / slots(), std::size_t{1}, kRowsMax);
}

void Forest::make_keys(std::span<const float> row, std::size_t step, std::int32_t* keys) const {
  *keys = kLargest;
  for (const float x : row) *(keys += step) = x == x ? key_of(x) : kSmallest;
  if (!doubled_) return;
  for (const float x : row) *(keys += step) = x == x ? key_of(x) : kLargest;
}

/// Trees side by side.
double Forest::sum(const std::int32_t* keys) const {
  double total = 0;
  std::size_t i = 0;
  for (; i + kLanes <= roots_.size(); i += kLanes) {
    std::array<const Node*, kLanes> at;
    std::uint32_t depth = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      at[lane] = nodes_.data() + roots_[i + lane].first;
      depth = std::max(depth, roots_[i + lane].depth);
    }
    walk<1>(at, keys, depth);
    for (const Node* const leaf : at) total += value(*leaf);
  }
  for (; i < roots_.size(); ++i) {
    std::array<const Node*, 1> at{nodes_.data() + roots_[i].first};
    walk<1>(at, keys, roots_[i].depth);
    total += value(*at[0]);
  }
  return total;
}

/// Rows side by side.
void Forest::add_leaves(const Root& root, const std::int32_t* keys, std::span<double> out) const {
  for (std::size_t i = 0; i < out.size(); i += kLanes, keys += kLanes * slots()) {
    std::array<const Node*, kLanes> at;
    at.fill(nodes_.data() + root.first);
    walk<kLanes>(at, keys, root.depth);
    for (std::size_t lane = 0; lane < kLanes; ++lane) out[i + lane] += value(*at[lane]);
  }
}

void Forest::sums(std::span<const float> columns, std::span<double> out) const {
  std::array<std::int32_t, kScratch> keys;
  const std::size_t grouped = out.size() / kLanes * kLanes;
  const auto row = [&](std::size_t i) { return columns.subspan(i * columns_, columns_); };
  for (std::size_t i = 0; i < grouped; ++i) {
    const std::size_t lane = i % kLanes;
    make_keys(row(i), kLanes, keys.data() + (i - lane) * slots() + lane);
    out[i] = 0;
  }
  if (grouped > 0) {
    for (const Root& root : roots_) add_leaves(root, keys.data(), out.first(grouped));
  }
  for (std::size_t i = grouped; i < out.size(); ++i) {
    make_keys(row(i), 1, keys.data());
    out[i] = sum(keys.data());
  }
}

std::size_t Forest::memory_bytes() const {
  return nodes_.capacity() * sizeof(Node) + roots_.capacity() * sizeof(Root);
}

}  // namespace liminal::models
