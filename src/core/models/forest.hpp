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
/// its threshold's key (32 bits), the way from it to its left child (20) and a slot (12); the right
/// child follows the left. A leaf reads slot 0, which is never below its "threshold" (the bits of
/// its value), and its "left child" is the node before it: so it stays where it is, and several
/// trees or rows are walked in lockstep, their loads in flight together.
class Forest {
 public:
  /// Rows that `sums` takes at once.
  static constexpr std::size_t kRowsMax = 64;

  /// `trees` must be valid for so many columns.
  Forest(std::span<const Tree> trees, std::size_t columns);

  /// How many rows `sums` has room for, 1 to `kRowsMax`.
  [[nodiscard]] std::size_t rows_max() const;

  /// The sum of the trees' leaves of each row, added in the trees' order. `columns` holds
  /// `out.size()` rows, at most `rows_max()`.
  void sums(std::span<const float> columns, std::span<double> out) const;

  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Node {
    std::uint32_t way = 0;  ///< to the left child, signed, above the slot's bits
    std::int32_t key = 0;
  };
  struct Root {
    std::uint32_t first = 0;
    std::uint32_t depth = 0;
  };

  static Node pack(std::int32_t key, std::int32_t way, std::size_t slot);
  static double value(const Node& leaf);
  template <std::size_t kStep>
  static void step(const Node*& at, const std::int32_t* keys);
  template <std::size_t kStep, class Lanes>
  static void walk(Lanes& at, const std::int32_t* keys, std::uint32_t depth);

  void add(const Tree& tree);
  [[nodiscard]] std::size_t slots() const { return doubled_ ? 1 + 2 * columns_ : 1 + columns_; }
  void make_keys(std::span<const float> row, std::size_t step, std::int32_t* keys) const;
  [[nodiscard]] double sum(const std::int32_t* keys) const;
  void add_leaves(const Root& root, const std::int32_t* keys, std::span<double> out) const;

  std::vector<Node> nodes_;
  std::vector<Root> roots_;
  std::size_t columns_ = 0;
  bool doubled_ = false;
};

}  // namespace liminal::models
