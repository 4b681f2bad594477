#pragma once

#include <cstddef>
#include <span>

namespace liminal::stats {

/// Where a row of a lower triangle begins that is kept by rows, without what is above the diagonal:
/// element (i, j), j ≤ i, is at `triangle_row(i) + j`.
[[nodiscard]] constexpr std::size_t triangle_row(std::size_t i) { return i * (i + 1) / 2; }

/// Solves A·x = b for a symmetric positive definite A by Cholesky's decomposition. `lower` is A's
/// lower triangle, n(n + 1)/2 numbers, and is spoilt; `b` becomes x.
///
/// A pivot that rounding made smaller is raised to `pivot_min`: the direction is then left at about
/// 0. With 0, false when A is not positive definite, and `b` says nothing then.
/// Guarantee: the same numbers give the same bits everywhere. Cost: n³/6 multiply-adds.
[[nodiscard]] bool solve_positive(std::span<double> lower,
                                  std::span<double> b,
                                  double pivot_min = 0);

}  // namespace liminal::stats
