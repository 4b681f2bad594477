#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"
#include "core/novelty/source.hpp"

namespace liminal::app {

void add_metric_settings(std::vector<Setting>& all) {
  using C = Configuration;
  all.push_back({.key = "metrics.series_max",
                 .slot = [](C& c) -> Slot { return &c.metrics.series_max; },
                 .help = "Series of metrics that are kept, 1 KiB each; beyond it the sources that "
                         "sent nothing for the longest time are forgotten, and counted.",
                 .low = 1000,
                 .high = 10'000'000,
                 .change = Change::kRestart});
  // Liminal's own totals always find room.
  all.push_back({.key = "metrics.source_series_max",
                 .slot = [](C& c) -> Slot { return &c.metrics.source_series_max; },
                 .help = "Series of one source. A request that needs more is refused; of what "
                         "Prometheus writes, series beyond it are passed over and counted. When "
                         "it becomes smaller, the series that are silent for longest leave.",
                 .low = 64,
                 .high = novelty::Source::kMetricsMax});
  all.push_back({.key = "metrics.source_alarms_per_week",
                 .slot = [](C& c) -> Slot { return &c.metrics.source_alarms_per_week; },
                 .help = "Alarms that a source as a whole may give, at most about so many: its "
                         "alarm line moves to where it would have given them. A quiet source "
                         "gives fewer, one with heavy tails up to some twice as many. 0: about "
                         "one in 540 rows at most.",
                 .low = 0,
                 .high = 10'000});
}

}  // namespace liminal::app
