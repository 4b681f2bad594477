#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/models/model.hpp"

namespace liminal::models {

/// Trees laid out for speed: 8 bytes a node, one comparison of integers a level, no branch.
///
/// A row is turned into **keys** first: integers that compare as its floats do. Slot 0 holds the
/// largest integer; then follow the columns with a missing value as the smallest integer, and, when
/// some node sends missing values right, the columns again with a missing value as the largest. So
/// a node needs no question after missing values: it reads the copy that takes its side. A node is
/// threshold key (32 bits), left child (20) and slot (12); the right child follows the left. A leaf
/// reads slot 0, which is never below its "threshold" (the bits of its value), and its "left child"
/// is the node before it: it stays where it is, so several rows or trees can be walked in lockstep,
/// their loads in flight together, to the depth of the deepest.
class Forest {
 public:
  /// `trees` must be valid for so many columns.
  Forest(std::span<const Tree> trees, std::size_t columns);

  /// Keys of a row.
  [[nodiscard]] std::size_t slots() const { return doubled_ ? 1 + 2 * columns_ : 1 + columns_; }
  void make_keys(std::span<const float> columns, std::int32_t* keys) const;

  /// The sum of the trees' leaves, added in the trees' order.
  [[nodiscard]] double sum(const std::int32_t* keys) const;

  /// The same for rows whose keys follow one another; `out` one a row.
  void sums(const std::int32_t* keys, std::span<double> out) const;

  [[nodiscard]] std::size_t trees() const { return roots_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Root {
    std::uint32_t first = 0;  ///< of the tree's nodes; children count from here
    std::uint32_t depth = 0;
  };

  void add(const Tree& tree);

  std::vector<std::uint64_t> nodes_;
  std::vector<Root> roots_;
  std::size_t columns_ = 0;
  bool doubled_ = false;
};

}  // namespace liminal::models
