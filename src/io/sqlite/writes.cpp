#include "io/sqlite/writes.hpp"

#include <array>

#include "core/traffic/schema.hpp"
#include "io/sqlite/encoding.hpp"

namespace liminal::sqlite {
namespace {

using traffic::Alert;
using traffic::AuditEntry;
using traffic::FeedbackVerdict;
using traffic::Override;

/// Carries out each kind of write.
struct Apply {
  Database& database;
  std::int64_t schema;

  Result<std::int64_t> operator()(const Alert& alert) const {
    if (alert.number > kAlertNumberMax) return failure(ErrorCode::kOutOfRange);
    return database.run(
        "INSERT INTO alerts(id, user, address, type, severity, status, feedback, first_seen_ns,"
        " last_seen_ns, count, score, confidence, detectors, input, first, worst, schema, features,"
        " gateway, gateway_alert) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
        " ON CONFLICT(id) DO UPDATE SET user = ?2, address = ?3, type = ?4, severity = ?5,"
        " status = ?6, feedback = iif(?7 = 0, feedback, ?7), first_seen_ns = ?8, last_seen_ns = ?9,"
        " count = ?10, score = ?11, confidence = ?12, detectors = ?13, input = ?14, first = ?15,"
        " worst = ?16, schema = ?17, features = ?18"
        // What a gateway tells late takes nothing back.
        " WHERE ?19 = '' OR (?10, ?9, ?6) >= (count, last_seen_ns, status)",
        {alert_key(alert.shard, alert.number),
         alert.user,
         alert.address,
         alert.type,
         alert.severity,
         alert.status,
         alert.feedback,
         alert.first_seen,
         alert.last_seen,
         alert.count,
         double{alert.worst.score},
         double{alert.worst.confidence},
         alert.detectors_agreeing,
         alert.input,
         Blob{encode(alert.first)},
         Blob{encode(alert.worst)},
         schema,
         Blob{encode(alert.features)},
         alert.origin.gateway,
         alert_key(alert.origin.shard, alert.origin.number)});
  }

  Result<std::int64_t> operator()(const Feedback& feedback) const {
    const std::int64_t alert = alert_key(feedback.shard, feedback.number);
    return database
        .run("INSERT INTO feedback(alert, verdict, note, actor, time_ns) VALUES (?, ?, ?, ?, ?)",
             {alert, feedback.verdict, feedback.note, feedback.actor, feedback.time})
        .and_then([&](std::int64_t) {
          // Two clocks speak of a gateway's alert: the younger word counts, not the one that came
          // last.
          return feedback.shard != kOfGateways
                     ? database.run("UPDATE alerts SET feedback = ? WHERE id = ?",
                                    {feedback.verdict, alert})
                     : database.run(
                           "UPDATE alerts SET feedback = ?1 WHERE id = ?2 AND NOT EXISTS"
                           " (SELECT 1 FROM feedback WHERE alert = ?2 AND time_ns > ?3)",
                           {feedback.verdict, alert, feedback.time});
        });
  }

  Result<std::int64_t> operator()(const Override& override_) const {
    return database.run("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?, ?, ?, ?, ?)",
                        {override_.user,
                         override_.kind,
                         override_.messages_per_second,
                         override_.burst,
                         override_.reason,
                         override_.created,
                         override_.expires});
  }

  Result<std::int64_t> operator()(const OverrideRemoved& removed) const {
    return database.run("DELETE FROM overrides WHERE user = ?", {removed.user});
  }

  Result<std::int64_t> operator()(const Policy& policy) const {
    return database.run("INSERT OR REPLACE INTO policies VALUES (?, ?, ?)",
                        {policy.name, policy.json, policy.changed});
  }

  Result<std::int64_t> operator()(const PolicyRemoved& removed) const {
    return database.run("DELETE FROM policies WHERE name = ?", {removed.name});
  }

  Result<std::int64_t> operator()(const AuditEntry& entry) const {
    return database.run(
        "INSERT INTO audit(time_ns, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        {entry.time, entry.actor, entry.action, entry.subject, entry.detail});
  }

  Result<std::int64_t> operator()(const Meta& meta) const {
    return database.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", {meta.key, meta.value});
  }

  Result<std::int64_t> operator()(const Answer& answer) const {
    return database.run("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
                        {answer.key,
                         answer.request_hash,
                         answer.status,
                         answer.headers,
                         Blob{answer.body},
                         answer.expires});
  }
};

}  // namespace

std::string_view table_of(std::size_t kind) {
  constexpr std::array<std::string_view, kWriteKinds> kTables{"alerts",
                                                              "feedback",
                                                              "overrides",
                                                              "overrides",
                                                              "policies",
                                                              "audit",
                                                              "meta",
                                                              "answers",
                                                              "policies"};
  return kTables[kind];
}

Result<std::int64_t> register_schema(Database& database) {
  const std::uint64_t hash = traffic::schema_hash();
  return database
      .run("INSERT INTO feature_schemas(hash, names) VALUES (?, ?) ON CONFLICT DO NOTHING",
           {hash, feature_names()})
      .and_then([&](std::int64_t) {
        return database.integer("SELECT id FROM feature_schemas WHERE hash = ?", {hash});
      })
      .map([](std::optional<std::int64_t> id) { return id.value_or(0); });
}

Result<void> apply(Database& database, const Write& write, std::int64_t schema) {
  return std::visit(Apply{database, schema}, write).map([](std::int64_t) {});
}

Result<std::int64_t> add_rows(Database& database,
                              std::span<const traffic::FeatureRow> rows,
                              std::int64_t schema) {
  std::int64_t added = 0;
  for (const traffic::FeatureRow& row : rows) {
    const auto one =
        database.run("INSERT INTO feature_rows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                     {row.time, row.user, row.address, schema, Blob{encode(row.features)}});
    if (!one) return one;
    added += *one;
  }
  return database.run("UPDATE numbers SET value = value + ? WHERE name = 'feature_rows'", {added})
      .map([added](std::int64_t) { return added; });
}

Result<void> save_clock(Database& database, SteadyTime now) {
  return database
      .run("UPDATE numbers SET value = max(value, ?) WHERE name = 'engine_clock_ns'", {now})
      .map([](std::int64_t) {});
}

}  // namespace liminal::sqlite
