#pragma once

#include "server/signals/anomaly.hpp"
#include "server/signals/limits.hpp"

namespace liminal::signals {

/// Sets what an owner tells of a series and its limit, or takes it away: both or neither. True when
/// nothing was told before. Blocks on the disk. Errors of `Anomaly::declare` and `Limits::declare`.
[[nodiscard]] Result<bool> declare(Anomaly& anomaly,
                                   Limits& limits,
                                   const std::string& source,
                                   const std::string& metric,
                                   const std::optional<novelty::SeriesSettings>& settings,
                                   const std::optional<stats::Limit>& limit);

/// Forgets a series, or all of a source, and its limits. Blocks on the disk. kMissing: nothing was
/// known of it.
[[nodiscard]] Result<void> forget(Anomaly& anomaly,
                                  Limits& limits,
                                  const std::string& source,
                                  const std::optional<std::string>& metric);

}  // namespace liminal::signals
