#include "core/base/random.hpp"

namespace liminal {

double Random::normal() {
  for (;;) {
    const double x = uniform(-1, 1);
    const double y = uniform(-1, 1);
    const double r2 = x * x + y * y;
    if (r2 < 1 && r2 > 0) return x * sqrt(-2 * log(r2) / r2);
  }
}

}  // namespace liminal
