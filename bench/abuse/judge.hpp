#pragma once

#include <string>
#include <vector>

#include "core/detect/options.hpp"
#include "trace.hpp"

namespace liminal::bench {

/// One alert as `liminal replay` writes it.
struct AlertLine {
  double t = 0;
  std::string user, type, detector;
  float score = 0;
  std::string evidence;  ///< in words
};

/// Which part of detection speaks.
enum class Part : std::uint8_t { kWhole, kRules, kStatistics };

/// Gives a trace to the core in 64 shards that exchange what they learn once a second, and answers
/// with the alerts: the first finding of a type about a user, and again after 15 calm minutes.
/// Rules read exact sliding windows here, and the limit of 10 messages/s counts violations.
[[nodiscard]] std::vector<AlertLine> judge(const Trace& trace,
                                           const detect::Options& options,
                                           Part part);

}  // namespace liminal::bench
