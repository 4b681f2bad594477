#include "core/models/quadrature.hpp"

#include <cmath>

namespace liminal::models {
namespace {

/// cos x for 0 to π/2 within 1e-6: where Newton's method begins.
double near_cosine(double x) {
  const double y = x * x;
  return 1 - y / 2 * (1 - y / 12 * (1 - y / 30 * (1 - y / 56 * (1 - y / 90))));
}

/// Legendre's polynomial at x and its derivative.
struct Legendre {
  double value = 0, slope = 0;
};

Legendre legendre(std::size_t degree, double x) {
  double before = 1;
  double value = x;
  for (std::size_t i = 2; i <= degree; ++i) {
    const auto n = static_cast<double>(i);
    const double next = ((2 * n - 1) * x * value - (n - 1) * before) / n;
    before = value;
    value = next;
  }
  return {value, static_cast<double>(degree) * (before - x * value) / (1 - x * x)};
}

double zero_near(std::size_t degree, double x) {
  constexpr int kStepsMax = 20;
  for (int step = 0; step < kStepsMax; ++step) {
    const Legendre at = legendre(degree, x);
    const double move = at.value / at.slope;
    x -= move;
    if (std::abs(move) < 1e-15) break;
  }
  return x;
}

}  // namespace

Quadrature gauss_legendre(std::size_t count) {
  constexpr double kPi = 3.14159265358979323846;
  Quadrature rule{std::vector<double>(count), std::vector<double>(count)};
  for (std::size_t i = 0; 2 * i < count; ++i) {
    const double angle = kPi * (static_cast<double>(i) + .75) / (static_cast<double>(count) + .5);
    const double x = zero_near(count, near_cosine(angle));
    const double slope = legendre(count, x).slope;
    const std::size_t mirrored = count - 1 - i;
    rule.points[i] = (1 - x) / 2;
    rule.points[mirrored] = (1 + x) / 2;
    rule.weights[i] = rule.weights[mirrored] = 1 / ((1 - x * x) * slope * slope);
  }
  return rule;
}

}  // namespace liminal::models
