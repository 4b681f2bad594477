#include "measures.hpp"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cmath>

namespace bench {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measures::add(const Measures& other) {
  smape += other.smape;
  mase += other.mase;
  msis += other.msis;
  coverage += other.coverage;
  coverage80 += other.coverage80;
  seconds += other.seconds;
}

void Measures::print(const std::string& name, double count) const {
  fmt::print("{:<24} {:7.3f} {:6.3f} {:6.3f}  {:.4f}  {:.4f}  {:6.2f} ms\n",
             name,
             smape / count,
             mase / count,
             msis / count,
             coverage / count,
             coverage80 / count,
             1000 * seconds / count);
}

Measures measure(const std::vector<double>& past,
                 const std::vector<double>& actual,
                 const liminal::forecast::Forecast& said,
                 std::size_t season) {
  double scale = 0;
  for (std::size_t i = season; i < past.size(); ++i) scale += std::abs(past[i] - past[i - season]);
  scale /= static_cast<double>(past.size() - season);
  const auto steps = static_cast<double>(actual.size());
  Measures m;
  for (std::size_t h = 0; h < actual.size(); ++h) {
    const double y = actual[h], f = said.mean[h];
    const double low = said.quantiles[0][h], high = said.quantiles[1][h];
    if (y != f) m.smape += 200 * std::abs(y - f) / (std::abs(y) + std::abs(f)) / steps;
    m.mase += std::abs(y - f) / scale / steps;
    const double outside = std::max(0., low - y) + std::max(0., y - high);
    m.msis += (high - low + 2 / .05 * outside) / scale / steps;
    m.coverage += (y >= low && y <= high ? 1 : 0) / steps;
    m.coverage80 += (y >= said.quantiles[2][h] && y <= said.quantiles[3][h] ? 1 : 0) / steps;
  }
  return m;
}

}  // namespace bench
