#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.hpp"

namespace liminal::prometheus {

/// A distribution of durations as plain counters: one a thread, merged when they are asked for.
/// All have the same bounds, from a microsecond to a day, so that any two can be added.
/// Memory: 168 bytes. Cost of `observe`: a search among 19 bounds, some 5 ns.
struct Histogram {
  static constexpr std::array<double, 19> kBounds{1e-6,
                                                  5e-6,
                                                  1e-5,
                                                  5e-5,
                                                  1e-4,
                                                  5e-4,
                                                  1e-3,
                                                  5e-3,
                                                  1e-2,
                                                  5e-2,
                                                  .1,
                                                  .5,
                                                  1,
                                                  5,
                                                  10,
                                                  60,
                                                  600,
                                                  3600,
                                                  86400};

  std::array<std::uint64_t, kBounds.size() + 1> counts{};  ///< the last: beyond every bound
  double sum = 0;                                          ///< seconds

  /// Negative durations count as zero.
  void observe(Duration duration) {
    // Divided, not multiplied: so a duration at a bound is equal to it.
    const double value = std::max(0., static_cast<double>(duration.count()) / 1e9);
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), value);
    ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
    sum += value;
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
  }
};

}  // namespace liminal::prometheus
