#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/signals/anomaly.hpp"
#include "server/signals/limits.hpp"

namespace liminal::signals {

/// What an owner tells of a series.
struct Told {
  std::optional<novelty::SeriesSettings> settings{};
  std::optional<stats::Limit> limit{};
  bool sent_as_counter = false;  ///< what its sender says
};

/// Changes what an owner tells of a series and its limit: both or neither. `change` makes of what
/// is told what is told from now on; no other call may change it meanwhile. True when nothing was
/// told before. Blocks on the disk. Errors of `Anomaly::declare` and `Limits::declare`.
[[nodiscard]] Result<bool> declare(Anomaly& anomaly,
                                   Limits& limits,
                                   const std::string& source,
                                   const std::string& metric,
                                   const std::function<void(Told&)>& change);

/// Forgets a series, or all of a source, and its limits. Blocks on the disk. kMissing: nothing was
/// known of it.
[[nodiscard]] Result<void> forget(Anomaly& anomaly,
                                  Limits& limits,
                                  const std::string& source,
                                  const std::optional<std::string>& metric);

}  // namespace liminal::signals
