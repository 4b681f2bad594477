#pragma once

#include <span>
#include <vector>

namespace liminal::learn {

/// p = 1/(1 + e^−(slope·margin + intercept)).
struct Platt {
  double slope = 1;
  double intercept = 0;

  [[nodiscard]] double probability(double margin) const;
};

/// Fits Platt's logistic curve to margins of rows that the model was not trained on. The slope is
/// not below zero: a model whose margins point the wrong way becomes a constant. With one class
/// only the curve is the constant (n₊ + 1)/(n + 2).
///
/// Source: Platt 1999, targets of equations 5; Newton's method with halving after Lin, Lin, Weng
/// 2007.
[[nodiscard]] Platt fit_platt(std::span<const float> margins, std::span<const float> labels);

/// logit p = a·ln σ(m) − b·ln(1 − σ(m)) + c with a, b ≥ 0, for margins m: unlike Platt's curve it
/// can bend either end by itself.
struct Beta {
  double a = 1, b = 1, c = 0;

  [[nodiscard]] double probability(double margin) const;
};

/// Fits a beta curve. Worth its third parameter when positives are many (some 1,000).
///
/// Source: Kull, Silva Filho, Flach, "Beyond sigmoids", 2017: a negative coefficient is set to 0
/// and the rest fitted again.
[[nodiscard]] Beta fit_beta(std::span<const float> margins, std::span<const float> labels);

/// The half width of an interval around predictions that covers the truth with probability ≥
/// `coverage` for a new row exchangeable with these: the ⌈(n + 1)·coverage⌉-th smallest |residual|;
/// infinite when n is too small for it.
///
/// Source: split conformal prediction, Lei et al. 2018, theorem 2.
[[nodiscard]] double conformal_half_width(std::span<const float> said,
                                          std::span<const float> is,
                                          double coverage);

}  // namespace liminal::learn
