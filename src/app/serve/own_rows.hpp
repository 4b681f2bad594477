#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "core/novelty/batch.hpp"
#include "io/prometheus/snapshot.hpp"

namespace liminal::app {

/// The program's own totals as rows of metrics: rates since the time before, and what there is now.
/// One is the source "liminal"; one follows for each of the first sixteen upstreams.
class OwnRows {
 public:
  static constexpr std::size_t kUpstreamsMax = 16;
  using SteadyPoint = std::chrono::steady_clock::time_point;

  /// With the totals at `at`, by a clock that is never set; `now` is the rows' time. None the first
  /// time, or when no time has passed.
  [[nodiscard]] std::vector<novelty::Batch> rows(prometheus::Snapshot totals,
                                                 SteadyPoint at,
                                                 EventTime now);

 private:
  prometheus::Snapshot before_;
  std::optional<SteadyPoint> before_at_;
};

}  // namespace liminal::app
