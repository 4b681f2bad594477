#pragma once

#include <string>
#include <vector>

#include "core/forecast/forecaster.hpp"

namespace bench {

[[nodiscard]] double cpu_seconds();

/// M4's measures (Makridakis, Spiliotis, Assimakopoulos, 2020).
struct Measures {
  double smape = 0, mase = 0, msis = 0, coverage = 0, coverage80 = 0, seconds = 0;

  void add(const Measures& other);
  void print(const std::string& name, double count) const;
};

/// Of a forecast with the levels .025, .975, .1 and .9; errors are in units of the error in the
/// past of what was a `season` before.
[[nodiscard]] Measures measure(const std::vector<double>& past,
                               const std::vector<double>& actual,
                               const liminal::forecast::Forecast& said,
                               std::size_t season = 24);

}  // namespace bench
