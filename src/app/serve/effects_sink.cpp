#include "app/serve/effects_sink.hpp"

#include <fmt/core.h>

#include <utility>

namespace liminal::app {

void EffectsSink::deliver(engine::Effects& effects) {
  std::vector<sqlite::Write> writes;
  writes.reserve(effects.alerts.size() + effects.audit.size());
  for (engine::AlertChange& change : effects.alerts) {
    note(change);
    writes.emplace_back(std::move(change.alert));
  }
  for (traffic::AuditEntry& entry : effects.audit) writes.emplace_back(std::move(entry));
  const std::size_t count = writes.size();
  if (count > 0 && !store_.put(std::move(writes))) {
    refused_ += count;
    static LogSite site;
    log_.write(LogLevel::kError, site, "store.refused", {{"writes", std::to_string(count)}});
  }
  if (effects.rows.empty()) return;
  if (on_rows_) on_rows_(effects.rows);
  take(std::move(effects.rows));
}

void EffectsSink::take(std::vector<traffic::FeatureRow> rows) {
  {
    const std::lock_guard lock(mutex_);
    for (const traffic::FeatureRow& row : rows) recent_.add(row);
  }
  for (traffic::FeatureRow& row : rows) store_.put_row(std::move(row));
}

void EffectsSink::note(const engine::AlertChange& change) {
  if (on_alert_) on_alert_(change);
  const traffic::Alert& alert = change.alert;
  const bool raised = change.kind == engine::AlertChange::Kind::kRaised;
  if (raised) {
    ++raised_[static_cast<std::size_t>(alert.type)][static_cast<std::size_t>(alert.severity)];
  }
  if (!raised && change.kind != engine::AlertChange::Kind::kEscalated) return;
  // Of their own limits, so that a storm of small ones does not hide a critical one.
  static LogSite ordinary, critical;
  const bool urgent = alert.severity == traffic::Severity::kCritical;
  log_.write(urgent ? LogLevel::kWarning : LogLevel::kInfo,
             urgent ? critical : ordinary,
             raised ? "alert.raised" : "alert.escalated",
             {{"id", traffic::alert_id(alert)},
              {"user", alert.user},
              {"type", std::string(traffic::info(alert.type).name)},
              {"severity", std::string(traffic::name(alert.severity))},
              {"score", fmt::format("{:.2f}", alert.worst.score)},
              {"explanation", traffic::explanation(alert.worst)}});
}

std::vector<traffic::FeatureRow> EffectsSink::rows(std::size_t limit, std::string_view user) const {
  const std::lock_guard lock(mutex_);
  return recent_.latest(limit, user);
}

std::size_t EffectsSink::rows_buffered() const {
  const std::lock_guard lock(mutex_);
  return recent_.size();
}

std::size_t EffectsSink::forget_rows(SteadyTime before) {
  const std::lock_guard lock(mutex_);
  return recent_.erase_before(before);
}

}  // namespace liminal::app
