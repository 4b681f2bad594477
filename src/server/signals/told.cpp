#include "server/signals/told.hpp"

namespace liminal::signals {

Result<bool> declare(Anomaly& anomaly,
                     Limits& limits,
                     const std::string& source,
                     const std::string& metric,
                     const std::function<void(Told&)>& change) {
  Told told;
  if (const auto known = anomaly.describe(source, metric)) {
    told.settings = known->told;
    told.sent_as_counter = known->sent_as_counter;
  }
  if (const auto limited = limits.line(source, metric)) told.limit = limited->limit;
  const bool was_told = told.settings || told.limit;
  change(told);
  const Result<void> done = limits.declare(source, metric, told.limit, [&]() -> Result<void> {
    const Result<bool> declared = anomaly.declare(source, metric, told.settings);
    if (!declared) return tl::unexpected(declared.error());
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return !was_told && (told.settings || told.limit);
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
