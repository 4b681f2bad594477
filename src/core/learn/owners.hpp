#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace liminal::learn {

/// Whose each row is, as a number below `count`. What is true of one row of a user tends to be true
/// of its others, so that users, not rows, are what an estimate is of many or few of.
struct Owners {
  std::vector<std::uint32_t> of;  ///< one a row
  std::size_t count = 0;
  bool known = false;  ///< else each row is one of its own

  /// By `users`, one a row, or empty: not known. Cost: n log n.
  Owners(std::span<const std::uint64_t> users, std::size_t rows);

  /// Sums of a value of each row by owner.
  [[nodiscard]] std::vector<double> sums(std::span<const double> values) const;

  /// How much wider than a normal variable's the tail is of what so many users alike tell: the
  /// ratio of Student's quantile to the normal one. 1 where users are not known, infinite below
  /// four.
  [[nodiscard]] double widening(double probability, double users) const;
};

/// How many owners of equal weight are as uneven as these: (Σ w)²/Σ w²; 0 where all are 0.
///
/// Source: Kish 1965, section 11.7.
[[nodiscard]] double alike(std::span<const double> weights);

/// How many more users it takes so that of them `judging` or more judge in four cases of five,
/// where each does by chance, `share` of them (in (0, 1]).
[[nodiscard]] double users_to_draw(double judging, double share);

}  // namespace liminal::learn
