#pragma once

#include <cstddef>
#include <vector>

namespace liminal::models {

/// Points between 0 and 1, rising, and their weights, which add up to 1.
struct Quadrature {
  std::vector<double> points;
  std::vector<double> weights;
};

/// The Gauss–Legendre rule of `count` points: the weighted sum over the points is the integral from
/// 0 to 1 of every polynomial of degree 2·count − 1 or less. `count` at least 1. Cost: count².
///
/// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.29; the points are
/// found by Newton's method on Legendre's polynomial, begun at Tricomi's estimate.
[[nodiscard]] Quadrature gauss_legendre(std::size_t count);

}  // namespace liminal::models
