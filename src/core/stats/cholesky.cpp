#include "core/stats/cholesky.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::stats {
namespace {

/// Turns a lower triangle into its Cholesky factor.
bool factor(std::span<double> a, std::size_t n, double pivot_min) {
  for (std::size_t i = 0; i < n; ++i) {
    double* const ri = a.data() + triangle_row(i);
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const rj = a.data() + triangle_row(j);
      double sum = ri[j];
      for (std::size_t k = 0; k < j; ++k) sum -= ri[k] * rj[k];
      if (j < i) {
        ri[j] = sum / rj[j];
        continue;
      }
      sum = std::max(sum, pivot_min);
      if (!(sum > 0 && std::isfinite(sum))) return false;
      ri[i] = sqrt(sum);
    }
  }
  return true;
}

}  // namespace

bool solve_positive(std::span<double> lower, std::span<double> b, double pivot_min) {
  const std::size_t n = b.size();
  LIMINAL_DCHECK(lower.size() == triangle_row(n));
  if (!factor(lower, n, pivot_min)) return false;
  for (std::size_t i = 0; i < n; ++i) {
    const double* const row = lower.data() + triangle_row(i);
    for (std::size_t k = 0; k < i; ++k) b[i] -= row[k] * b[k];
    b[i] /= row[i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= lower[triangle_row(k) + i] * b[k];
    b[i] /= lower[triangle_row(i) + i];
  }
  return true;
}

}  // namespace liminal::stats
