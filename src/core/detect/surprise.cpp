#include "core/detect/surprise.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace liminal::detect {

double surprise(double count, double expected, double r) {
  if (!(count > expected)) return 0;
  return count * log(count / expected) - (count + r) * log((count + r) / (expected + r));
}

double count_at(double expected, double r, double nats) {
  // The bound of `surely_below` undershoots the more, the larger the excess: two secant steps from
  // there are enough.
  double low = expected, at = expected + sqrt(2 * nats * expected * (expected + r) / r);
  double below = 0;
  for (int step = 0; step < 2; ++step) {
    const double here = surprise(at, expected, r);
    if (here <= below) break;
    const double next = at + (nats - here) * (at - low) / (here - below);
    low = at, below = here, at = std::max(next, expected);
  }
  return at;
}

double normal_surprise(double z) {
  if (!(z > 0)) return 0;
  z = std::min(z, 5.);
  // Interpolates -ln Q(z) at the Chebyshev nodes of 0…5.
  double y = .000183286559;
  y = y * z - .00362532545;
  y = y * z + .0319090962;
  y = y * z + .323970053;
  y = y * z + .795395721;
  return y * z + .693320795;
}

}  // namespace liminal::detect
