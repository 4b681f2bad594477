#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::forecast {

/// A linear regression of a series on its own past: z[t] = intercept + Σ weights[j]·z[t − lags[j]].
struct Autoregression {
  std::vector<std::uint32_t> lags;  ///< rising, each at least 1
  std::vector<double> weights;      ///< as many, or none: then it says its intercept
  double intercept = 0;

  /// Writes the `out.size()` values that follow the past, each made of the ones before. The past
  /// must hold the largest lag. Cost: 1 ns a lag and step.
  void continue_from(std::span<const double> past, std::span<double> out) const;

  void save(Writer& out) const;
  void load(Reader& in);
};

/// Fits autoregressions by weighted ridge regression, robust against outliers by reweighting. Holds
/// the scratch memory of a fit (about 4 numbers a point), so that one fitter serves many series.
///
/// A row's weight is its own (0 for a point that was not observed) × .5·s/|r| where the last fit's
/// residual |r| exceeds half of s = 1.4826 · median |r|. The diagonal is multiplied by 1 + ridge.
/// The answer is finite for finite input, also for constant and collinear series.
///
/// Cost: rows · lags² / 2 multiply-adds an iteration; 19 lags on 700 rows: about 60 µs.
/// Source: Holland and Welsch, "Robust regression using iteratively reweighted least-squares",
/// 1977; our own study for the constants (docs/benchmarks.md).
class AutoregressionFitter {
 public:
  /// @param series      z, finite
  /// @param weights     one a point, ≥ 0; as long as the series
  /// @param iterations  reweighted fits after the first (which a warm start replaces)
  /// @param model       in: the lags, and weights to start from when there are any; out: the fit.
  ///                    Left at its intercept (the mean) when no row has a weight.
  void fit(std::span<const double> series,
           std::span<const double> weights,
           double ridge,
           int iterations,
           Autoregression& model);

 private:
  void solve(std::span<const double> row_weights, double ridge, Autoregression& model);
  void residuals(const Autoregression& model);

  std::size_t rows_ = 0;
  double centre_ = 0;
  std::vector<double> centred_;
  std::vector<const double*> columns_;  ///< the series as each lag sees it
  const double* target_ = nullptr;
  std::vector<double> row_weights_, weighted_, residuals_, sizes_;
  std::vector<double> means_, gram_, right_;
};

}  // namespace liminal::forecast
