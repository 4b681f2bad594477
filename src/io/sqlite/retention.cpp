#include "io/sqlite/retention.hpp"

#include "io/sqlite/queries.hpp"
#include "io/sqlite/transaction.hpp"

namespace liminal::sqlite {
namespace {

Result<std::int64_t> remove_rows(Database& database, SteadyTime before, std::int64_t limit) {
  return database
      .run(
          "DELETE FROM feature_rows WHERE (time_ns, user) IN"
          " (SELECT time_ns, user FROM feature_rows WHERE time_ns < ? ORDER BY time_ns LIMIT ?)",
          {before, limit})
      .and_then([&](std::int64_t removed) {
        return database
            .run("UPDATE numbers SET value = value - ? WHERE name = 'feature_rows'", {removed})
            .map([removed](std::int64_t) { return removed; });
      });
}

/// The trigger lets go of what is older than the moment that is kept from.
Result<std::int64_t> remove_audit(Database& database, SteadyTime before) {
  return database
      .run("UPDATE numbers SET value = max(value, ?) WHERE name = 'audit_kept_from_ns'", {before})
      .and_then([&](std::int64_t) {
        return database.run(
            "DELETE FROM audit WHERE id IN"
            " (SELECT id FROM audit WHERE time_ns < ? ORDER BY time_ns LIMIT ?)",
            {before, kRetentionStep});
      });
}

Result<std::int64_t> remove_alerts(Database& database, SteadyTime before) {
  return database.run(
      "DELETE FROM alerts WHERE id IN"
      " (SELECT id FROM alerts WHERE last_seen_ns < ? ORDER BY last_seen_ns LIMIT ?)",
      {before, kRetentionStep});
}

Result<std::int64_t> remove_expired(Database& database, SteadyTime now) {
  return database
      .run(
          "DELETE FROM answers WHERE key IN"
          " (SELECT key FROM answers WHERE expires_ns <= ? ORDER BY expires_ns LIMIT ?)",
          {now, kRetentionStep})
      .and_then([&](std::int64_t removed) {
        return database.run("DELETE FROM overrides WHERE expires_ns <= ?", {now})
            .map([removed](std::int64_t overrides) { return removed + overrides; });
      });
}

Result<Removed> step(Database& database, const Retention& retention, SteadyTime now) {
  Removed removed;
  const auto count = [&removed](std::int64_t& target) {
    return [&](std::int64_t rows) {
      target += rows;
      removed.more = removed.more || rows == kRetentionStep;
    };
  };
  return remove_rows(database, now - retention.rows_age, kRetentionStep)
      .map(count(removed.rows))
      .and_then([&] { return used_bytes(database); })
      .and_then([&](std::int64_t used) -> Result<std::int64_t> {
        if (used <= retention.bytes) return std::int64_t{0};
        return remove_rows(database, SteadyTime::max(), kRetentionStep);
      })
      .map(count(removed.rows))
      .and_then([&] { return remove_alerts(database, now - retention.alerts_age); })
      .map(count(removed.others))
      .and_then([&] { return remove_audit(database, now - retention.audit_age); })
      .map(count(removed.others))
      .and_then([&] { return remove_expired(database, now); })
      .map(count(removed.others))
      .map([&] { return removed; });
}

}  // namespace

Problems validate(const Retention& retention) {
  Problems found;
  constexpr std::int64_t kBytesMin = std::int64_t{16} << 20;
  if (retention.rows_age <= Duration::zero()) found.push_back({"rows_age", "must be above 0"});
  if (retention.alerts_age <= Duration::zero()) found.push_back({"alerts_age", "must be above 0"});
  if (retention.audit_age <= Duration::zero()) found.push_back({"audit_age", "must be above 0"});
  if (retention.bytes < kBytesMin) found.push_back({"bytes", "must be at least 16 MiB"});
  return found;
}

Result<Removed> retain(Database& database, const Retention& retention, SteadyTime now) {
  return in_transaction(database, [&] { return step(database, retention, now); });
}

Result<std::int64_t> forget_rows(Database& database, SteadyTime before) {
  return in_transaction(database, [&] { return remove_rows(database, before, kRetentionStep); });
}

}  // namespace liminal::sqlite
