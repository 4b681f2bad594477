#include "io/sqlite/queries.hpp"

#include <map>
#include <tuple>

#include "io/sqlite/encoding.hpp"

namespace liminal::sqlite {
namespace {

using traffic::Alert;
using traffic::AuditEntry;
using traffic::FeatureRow;
using traffic::Override;

using Mappings = std::map<std::int64_t, FeatureMapping>;

Result<Mappings> mappings(Database& database) {
  Mappings found;
  return database
      .each("SELECT id, names FROM feature_schemas",
            {},
            [&](const Row& row) {
              found.emplace(row.integer(0), FeatureMapping::by_names(row.text(1)));
            })
      .map([&] { return std::move(found); });
}

Result<traffic::Features> decode(const Mappings& known,
                                 std::int64_t schema,
                                 std::string_view bytes) {
  const auto mapping = known.find(schema);
  if (mapping == known.end()) return failure(ErrorCode::kChecksum);
  return mapping->second.decode(bytes);
}

/// Collects rows of an answer that are decoded one by one; the first that cannot be ends it all.
template <class T>
struct Collected {
  std::vector<T> rows;
  std::optional<Error> problem;

  void add(Result<T> row) {
    if (row) {
      rows.push_back(*std::move(row));
    } else if (!problem) {
      problem = row.error();
    }
  }
  Result<std::vector<T>> result(const Result<void>& answer) {
    if (!answer) return tl::unexpected(answer.error());
    if (problem) return tl::unexpected(*problem);
    return std::move(rows);
  }
};

std::uint64_t unsigned_of(const std::optional<std::int64_t>& number) {
  return static_cast<std::uint64_t>(number.value_or(0));
}

/// Columns in the order of the table (docs/formats/store.md).
Result<Alert> alert_of(const Row& row, const Mappings& known) {
  Alert alert;
  std::tie(alert.shard, alert.number) = traffic::alert_of_key(unsigned_of(row.integer(0)));
  alert.user = row.text(1);
  alert.address = row.text(2);
  alert.type = static_cast<traffic::FindingType>(row.integer(3));
  alert.severity = static_cast<traffic::Severity>(row.integer(4));
  alert.status = static_cast<traffic::AlertStatus>(row.integer(5));
  alert.feedback = static_cast<traffic::FeedbackVerdict>(row.integer(6));
  alert.first_seen = row.time(7);
  alert.last_seen = row.time(8);
  alert.count = static_cast<std::uint64_t>(row.integer(9));
  alert.detectors_agreeing = static_cast<std::uint8_t>(row.integer(12));
  alert.input = static_cast<std::uint64_t>(row.integer(13));
  const auto first = decode_finding(row.blob(14));
  const auto worst = decode_finding(row.blob(15));
  const auto features = decode(known, row.integer(16), row.blob(17));
  alert.origin.gateway = row.text(18);
  std::tie(alert.origin.shard, alert.origin.number) =
      traffic::alert_of_key(unsigned_of(row.integer(19)));
  const bool in_range = index(alert.shard) <= index(kOfGateways) &&
                        static_cast<std::size_t>(row.integer(3)) < traffic::kFindingTypes &&
                        static_cast<std::uint64_t>(row.integer(4)) < 4 &&
                        static_cast<std::uint64_t>(row.integer(5)) < 2 &&
                        static_cast<std::uint64_t>(row.integer(6)) < 4;
  if (!in_range || !first || !worst || !features) return failure(ErrorCode::kChecksum);
  alert.first = *first;
  alert.worst = *worst;
  alert.features = *features;
  return alert;
}

/// Of columns alert, verdict, note, actor and time_ns.
Feedback feedback_of(const Row& row) {
  const auto [shard, number] = traffic::alert_of_key(unsigned_of(row.integer(0)));
  return {shard,
          number,
          static_cast<traffic::FeedbackVerdict>(row.integer(1)),
          std::string(row.text(2)),
          std::string(row.text(3)),
          row.time(4)};
}

Override override_of(const Row& row) {
  Override found;
  found.user = row.text(0);
  found.kind = static_cast<Override::Kind>(row.integer(1));
  found.messages_per_second = row.real(2);
  found.burst = static_cast<std::uint32_t>(row.integer(3));
  found.reason = row.text(4);
  found.created = row.time(5);
  if (!row.null(6)) found.expires = row.time(6);
  return found;
}

/// Counts rows by the value of a small enumeration.
Result<void> count_by(Database& database, Sql sql, std::array<std::uint64_t, 4>& counts) {
  return database.each(sql, {}, [&](const Row& row) {
    if (const auto at = static_cast<std::size_t>(row.integer(0)); at < counts.size())
      counts[at] = static_cast<std::uint64_t>(row.integer(1));
  });
}

}  // namespace

Result<std::vector<Alert>> alerts(Database& database, const AlertQuery& query) {
  const Result<Mappings> known = mappings(database);
  if (!known) return tl::unexpected(known.error());
  Collected<Alert> found;
  const auto add = [&](const Row& row) { found.add(alert_of(row, *known)); };
  if (query.of_gateways) {
    return found.result(database.each("SELECT * FROM alerts WHERE id >= ? ORDER BY id DESC LIMIT ?",
                                      {alert_key(kOfGateways, 0), query.limit},
                                      add));
  }
  // Two texts, so that each can use its index.
  if (query.user) {
    return found.result(database.each(
        "SELECT * FROM alerts WHERE user = ?1 AND severity >= ?2 AND last_seen_ns >= ifnull(?3, 0)"
        " AND status = ifnull(?4, status) ORDER BY last_seen_ns DESC, id DESC LIMIT ?5",
        {query.user, query.min_severity, query.since, query.status, query.limit},
        add));
  }
  return found.result(
      database.each("SELECT * FROM alerts WHERE severity >= ?1 AND last_seen_ns >= ifnull(?2, 0)"
                    " AND status = ifnull(?3, status) ORDER BY last_seen_ns DESC, id DESC LIMIT ?4",
                    {query.min_severity, query.since, query.status, query.limit},
                    add));
}

Result<std::optional<Alert>> alert(Database& database, ShardId shard, std::uint64_t number) {
  if (number > kAlertNumberMax) return std::optional<Alert>{};
  const Result<Mappings> known = mappings(database);
  if (!known) return tl::unexpected(known.error());
  Collected<Alert> found;
  return found
      .result(database.each("SELECT * FROM alerts WHERE id = ?",
                            {alert_key(shard, number)},
                            [&](const Row& row) { found.add(alert_of(row, *known)); }))
      .map([](std::vector<Alert>&& rows) {
        return rows.empty() ? std::optional<Alert>{} : std::optional(std::move(rows.front()));
      });
}

Result<AlertNumbers> alert_numbers(Database& database) {
  AlertNumbers numbers{};
  for (std::uint8_t shard = 0; shard < kShards; ++shard) {
    const auto last = database.integer(
        "SELECT max(id) FROM alerts WHERE id BETWEEN ? AND ?",
        {alert_key(ShardId{shard}, 0), alert_key(ShardId{shard}, kAlertNumberMax)});
    if (!last) return tl::unexpected(last.error());
    numbers[shard] = traffic::alert_of_key(unsigned_of(*last)).second;
  }
  return numbers;
}

Result<std::vector<Feedback>> feedback(Database& database,
                                       std::size_t limit,
                                       std::optional<SteadyTime> since) {
  std::vector<Feedback> found;
  return database
      .each(
          "SELECT alert, verdict, note, actor, time_ns FROM feedback WHERE time_ns >= ifnull(?, 0)"
          " ORDER BY id DESC LIMIT ?",
          {since, limit},
          [&](const Row& row) { found.push_back(feedback_of(row)); })
      .map([&] { return std::move(found); });
}

Result<std::optional<Feedback>> last_feedback(Database& database,
                                              ShardId shard,
                                              std::uint64_t number) {
  std::optional<Feedback> found;
  return database
      .each(
          "SELECT alert, verdict, note, actor, time_ns FROM feedback WHERE alert = ?"
          " ORDER BY time_ns DESC, id DESC LIMIT 1",
          {alert_key(shard, number)},
          [&](const Row& row) { found = feedback_of(row); })
      .map([&] { return std::move(found); });
}

Result<std::vector<NumberedFeedback>> feedback_after(Database& database,
                                                     std::uint64_t number,
                                                     std::size_t limit) {
  std::vector<NumberedFeedback> found;
  return database
      .each(
          "SELECT alert, verdict, note, actor, time_ns, id FROM feedback WHERE id > ?"
          " ORDER BY id LIMIT ?",
          {number, limit},
          [&](const Row& row) {
            found.push_back({static_cast<std::uint64_t>(row.integer(5)), feedback_of(row)});
          })
      .map([&] { return std::move(found); });
}

Result<std::uint64_t> count_feedback_after(Database& database, std::uint64_t number) {
  return database.integer("SELECT count(*) FROM feedback WHERE id > ?", {number}).map(unsigned_of);
}

Result<std::vector<FeatureRow>> feature_rows(Database& database, const RowQuery& query) {
  const Result<Mappings> known = mappings(database);
  if (!known) return tl::unexpected(known.error());
  Collected<FeatureRow> found;
  const auto add = [&](const Row& row) {
    found.add(decode(*known, row.integer(3), row.blob(4)).map([&](const auto& features) {
      return FeatureRow{std::string(row.text(1)), std::string(row.text(2)), row.time(0), features};
    }));
  };
  if (query.user) {
    return found.result(
        database.each("SELECT * FROM feature_rows WHERE user = ? AND time_ns >= ifnull(?, 0)"
                      " ORDER BY time_ns DESC LIMIT ?",
                      {query.user, query.since, query.limit},
                      add));
  }
  return found.result(
      database.each("SELECT * FROM feature_rows WHERE time_ns >= ifnull(?, 0)"
                    " ORDER BY time_ns DESC, user DESC LIMIT ?",
                    {query.since, query.limit},
                    add));
}

Result<std::vector<Override>> overrides(Database& database, SteadyTime now) {
  std::vector<Override> found;
  return database
      .each("SELECT * FROM overrides WHERE expires_ns IS NULL OR expires_ns > ? ORDER BY user",
            {now},
            [&](const Row& row) { found.push_back(override_of(row)); })
      .map([&] { return std::move(found); });
}

Result<std::optional<Policy>> policy(Database& database, const std::string& name) {
  std::optional<Policy> found;
  return database
      .each("SELECT json, changed_ns FROM policies WHERE name = ?",
            {name},
            [&](const Row& row) {
              found = Policy{name, std::string(row.text(0)), row.time(1)};
            })
      .map([&] { return std::move(found); });
}

Result<std::vector<AuditEntry>> audit(Database& database, const AuditQuery& query) {
  std::vector<AuditEntry> found;
  return database
      .each(
          "SELECT time_ns, actor, action, subject, detail FROM audit"
          " WHERE time_ns >= ifnull(?1, 0) AND (?2 IS NULL OR subject = ?2)"
          " ORDER BY id DESC LIMIT ?3",
          {query.since, query.subject, query.limit},
          [&](const Row& row) {
            found.push_back({row.time(0),
                             std::string(row.text(1)),
                             std::string(row.text(2)),
                             std::string(row.text(3)),
                             std::string(row.text(4))});
          })
      .map([&] { return std::move(found); });
}

Result<std::optional<std::string>> meta(Database& database, const std::string& key) {
  std::optional<std::string> found;
  return database
      .each("SELECT value FROM meta WHERE key = ?",
            {key},
            [&](const Row& row) { found = std::string(row.text(0)); })
      .map([&] { return std::move(found); });
}

Result<std::optional<SteadyTime>> saved_clock(Database& database) {
  return database.integer("SELECT value FROM numbers WHERE name = 'engine_clock_ns' AND value > 0")
      .map([](std::optional<std::int64_t> time) {
        return time ? std::optional(SteadyTime{Duration{*time}}) : std::nullopt;
      });
}

Result<std::optional<Answer>> answer(Database& database, const std::string& key, SteadyTime now) {
  std::optional<Answer> found;
  return database
      .each(
          "SELECT request_hash, status, headers, body, expires_ns FROM answers"
          " WHERE key = ? AND expires_ns > ?",
          {key, now},
          [&](const Row& row) {
            found = Answer{key,
                           static_cast<std::uint64_t>(row.integer(0)),
                           static_cast<int>(row.integer(1)),
                           std::string(row.text(2)),
                           std::string(row.blob(3)),
                           row.time(4)};
          })
      .map([&] { return std::move(found); });
}

Result<Counts> counts(Database& database) {
  Counts found;
  const auto set = [](std::uint64_t& target) {
    return [&target](std::optional<std::int64_t> number) { target = unsigned_of(number); };
  };
  // The partial index alone answers the first; rows are counted as they come and go.
  return count_by(database,
                  "SELECT severity, count(*) FROM alerts WHERE status = 0 GROUP BY severity",
                  found.open_alerts)
      .and_then([&] { return database.integer("SELECT count(*) FROM alerts"); })
      .map(set(found.alerts))
      .and_then([&] {
        return count_by(
            database, "SELECT verdict, count(*) FROM feedback GROUP BY verdict", found.feedback);
      })
      .and_then([&] { return database.integer("SELECT count(*) FROM overrides"); })
      .map(set(found.overrides))
      .and_then(
          [&] { return database.integer("SELECT value FROM numbers WHERE name = 'feature_rows'"); })
      .map(set(found.feature_rows))
      .and_then([&] { return used_bytes(database); })
      .map([&](std::int64_t bytes) {
        found.bytes = static_cast<std::uint64_t>(bytes);
        return found;
      });
}

Result<std::int64_t> used_bytes(Database& database) {
  return database
      .integer(
          "SELECT (c.page_count - f.freelist_count) * s.page_size"
          " FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s")
      .map([](std::optional<std::int64_t> bytes) { return bytes.value_or(0); });
}

}  // namespace liminal::sqlite
