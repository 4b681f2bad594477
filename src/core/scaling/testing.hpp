#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::scaling {

/// A service's day and noise, for tests: requests a minute between 20 and 180, with a burst of half
/// as much again for ten minutes every `burst_every` (0: none).
inline double made_up_load(std::int64_t minute, Random& random, std::int64_t burst_every = 0) {
  // A triangle, up in the first half of the day.
  const double day = 1 - std::abs(static_cast<double>(minute % 1440) - 720) / 360;
  double load = 100 + 80 * day + 4 * random.normal();
  if (burst_every > 0 && minute % burst_every < 10) load *= 1.5;
  return std::max(load, 0.);
}

}  // namespace liminal::scaling
