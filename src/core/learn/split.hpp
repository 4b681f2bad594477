#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace liminal::learn {

/// Which part each row belongs to: `part[row]` is below `count`.
struct Folds {
  std::vector<std::uint8_t> part;
  std::uint32_t count = 0;

  [[nodiscard]] std::vector<std::uint32_t> inside(std::uint32_t which) const;
  [[nodiscard]] std::vector<std::uint32_t> outside(std::uint32_t which) const;
};

// `count` is 2 to 255. The same seed gives the same parts.

/// Parts of equal size (to one row a class), each with its share of every class.
[[nodiscard]] Folds stratified_folds(std::span<const float> labels,
                                     std::uint32_t count,
                                     std::uint64_t seed);

/// Parts of equal size (to one row) with like distributions of a continuous label: each run of
/// `count` neighbours in order of the label goes to different parts.
[[nodiscard]] Folds blocked_folds(std::span<const float> labels,
                                  std::uint32_t count,
                                  std::uint64_t seed);

/// Parts that hold whole groups (users), so that nobody is in two. Groups go, the largest first, to
/// the part that has fewest rows yet: sizes differ by at most the largest group.
[[nodiscard]] Folds group_folds(std::span<const std::uint64_t> groups,
                                std::uint32_t count,
                                std::uint64_t seed);

/// Part 0 is the last `share` (in 0–1) of the rows by time, part 1 what came before. Rows of one
/// time stay together: they all go to the past.
[[nodiscard]] Folds last_part(std::span<const double> times_s, double share);
[[nodiscard]] Folds last_quarter(std::span<const double> times_s);

}  // namespace liminal::learn
