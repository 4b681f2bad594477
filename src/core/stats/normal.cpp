#include "core/stats/normal.hpp"

#include "core/base/math.hpp"

namespace liminal::stats {

double normal_below(double x) {
  if (x < 0) return 1 - normal_below(-x);
  const double t = 1 / (1 + .2316419 * x);
  const double series =
      t *
      (.319381530 + t * (-.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - .3989422804014327 * exp(-x * x / 2) * series;
}

}  // namespace liminal::stats
