#pragma once

#include <cstdint>
#include <optional>

#include "core/novelty/metric_series.hpp"

namespace liminal::novelty {

/// How a series stands, as its owner is told.
struct SeriesStatus {
  SeriesSettings settings{};  ///< that hold
  std::uint32_t points = 0;
  std::optional<Range> expected{};    ///< around its last point; of a counter, of its rate
  double line = 1;                    ///< its own, in those of all
  double observed_weeks = 0;          ///< that its budget remembers; older ones count less
  double observed_alarms = 0;         ///< a week of these, by itself and at its line
  double source_alarms_per_week = 0;  ///< wanted of its source as a whole; 0: untold
  double source_line = 1;             ///< where its budget has the source's line, in those of all
};

}  // namespace liminal::novelty
