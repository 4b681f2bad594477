#include "server/signals/told.hpp"

namespace liminal::signals {

Result<bool> declare(Anomaly& anomaly,
                     Limits& limits,
                     const std::string& source,
                     const std::string& metric,
                     const std::optional<novelty::SeriesSettings>& settings,
                     const std::optional<stats::Limit>& limit) {
  const bool was_limited = limits.line(source, metric).has_value();
  Result<bool> fresh = false;
  const Result<void> limited = limits.declare(source, metric, limit, [&]() -> Result<void> {
    fresh = anomaly.declare(source, metric, settings);
    if (!fresh) return tl::unexpected(fresh.error());
    return {};
  });
  if (!limited) return tl::unexpected(limited.error());
  return *fresh && !was_limited && (settings || limit);
}

Result<void> forget(Anomaly& anomaly,
                    Limits& limits,
                    const std::string& source,
                    const std::optional<std::string>& metric) {
  const Result<bool> limited = limits.forget(source, metric);
  if (!limited) return tl::unexpected(limited.error());
  const Result<void> forgotten = anomaly.forget(source, metric);
  if (!forgotten && *limited && forgotten.error().code == ErrorCode::kMissing) return {};
  return forgotten;
}

}  // namespace liminal::signals
