#include "core/learn/tails.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::learn {

double normal_tail_quantile(double probability) {
  LIMINAL_CHECK(probability > 0 && probability <= .5);
  constexpr double kRootTwoPi = 2.5066282746310002;
  double z = sqrt(std::max(0., -2 * log(2 * probability)));
  for (int i = 0; i < 60; ++i) {
    const double density = exp(-z * z / 2) / kRootTwoPi;
    double tail = 0;
    if (z > 1) {
      double fraction = z;
      for (int k = 60; k > 0; --k) fraction = z + k / fraction;
      tail = density / fraction;
    } else {  // the fraction converges slowly here, the series around 0 at once
      double term = z, sum = z;
      for (int k = 1; k < 40; ++k) sum += term *= z * z / (2 * k + 1);
      tail = .5 - density * sum;
    }
    const double step = (tail - probability) / density;
    z = std::max(0., z + step);
    if (std::abs(step) < 1e-12) break;
  }
  return z;
}

double student_tail_quantile(double probability, double degrees) {
  return student_alike(normal_tail_quantile(probability), degrees);
}

double student_alike(double z, double degrees) {
  if (!(degrees >= 3)) return std::numeric_limits<double>::infinity();
  const double z2 = z * z;
  const double first = z * (z2 + 1) / 4;
  const double second = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double third = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  const double series = z + (first + (second + third / degrees) / degrees) / degrees;
  constexpr double kSeriesHolds = 3;
  if (z <= kSeriesHolds) return series;
  // Farther out its terms grow too slowly for so few degrees; Wallace's t errs to the wide side.
  const double scaled = z * (8 * degrees + 3) / (8 * degrees + 1);
  return std::max(series, sqrt(degrees * (exp(scaled * scaled / degrees) - 1)));
}

}  // namespace liminal::learn
