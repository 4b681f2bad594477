#pragma once

#include <optional>

#include "core/novelty/metric_series.hpp"
#include "core/stats/trend.hpp"

namespace liminal::api {

/// What an owner changes of what is told of a series: what it does not name stays as it is, and
/// what is named as nothing is as if never told.
struct SeriesChange {
  bool erases = false;  ///< first of all, whatever was told is as if it never was
  std::optional<std::optional<novelty::Range>> range{};
  std::optional<std::optional<double>> alarms_per_week{};
  std::optional<std::optional<bool>> counter{};
  std::optional<std::optional<EventTime>> suppress_until{};
  std::optional<std::optional<double>> lower_limit{}, upper_limit{};

  /// What was told becomes what is told. Numbers that mean something else, a counter's or no longer
  /// a counter's, leave the range that was told of them behind.
  void apply(std::optional<novelty::SeriesSettings>& settings,
             std::optional<stats::Limit>& limit,
             bool sent_as_counter) const;
};

}  // namespace liminal::api
