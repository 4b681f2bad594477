#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/sqlite/database.hpp"
#include "io/sqlite/records.hpp"

namespace liminal::sqlite {

/// Which alerts, the last seen first.
struct AlertQuery {
  std::size_t limit = 50;
  traffic::Severity min_severity = traffic::Severity::kLow;
  std::optional<traffic::AlertStatus> status{};
  std::optional<SteadyTime> since{};  ///< last seen at or after
  std::optional<std::string> user{};
  /// Those that gateways told of instead, the last that was told of first, whatever the rest says.
  bool of_gateways = false;
};

/// Which feature rows, the newest first.
struct RowQuery {
  std::size_t limit = 100;
  std::optional<SteadyTime> since{};  ///< at or after
  std::optional<std::string> user{};
};

/// Which audit entries, the newest first.
struct AuditQuery {
  std::size_t limit = 100;
  std::optional<SteadyTime> since{};  ///< at or after
  std::optional<std::string> subject{};
};

struct Counts {
  std::array<std::uint64_t, 4> open_alerts{};  ///< by severity
  std::uint64_t alerts = 0;
  std::array<std::uint64_t, 4> feedback{};  ///< by verdict
  std::uint64_t overrides = 0;
  std::uint64_t feature_rows = 0;
  std::uint64_t bytes = 0;  ///< of the database that are in use
};

/// The largest alert number of each shard so far, 0 without any.
using AlertNumbers = std::array<std::uint64_t, kShards>;

[[nodiscard]] Result<std::vector<traffic::Alert>> alerts(Database& database,
                                                         const AlertQuery& query);
[[nodiscard]] Result<std::optional<traffic::Alert>> alert(Database& database,
                                                          ShardId shard,
                                                          std::uint64_t number);
[[nodiscard]] Result<AlertNumbers> alert_numbers(Database& database);
[[nodiscard]] Result<std::vector<Feedback>> feedback(Database& database,
                                                     std::size_t limit,
                                                     std::optional<SteadyTime> since);
/// What was said last about an alert.
[[nodiscard]] Result<std::optional<Feedback>> last_feedback(Database& database,
                                                            ShardId shard,
                                                            std::uint64_t number);
/// What was said after that number, the oldest first.
[[nodiscard]] Result<std::vector<NumberedFeedback>> feedback_after(Database& database,
                                                                   std::uint64_t number,
                                                                   std::size_t limit);
[[nodiscard]] Result<std::uint64_t> count_feedback_after(Database& database, std::uint64_t number);
[[nodiscard]] Result<std::vector<traffic::FeatureRow>> feature_rows(Database& database,
                                                                    const RowQuery& query);
[[nodiscard]] Result<std::vector<traffic::Override>> overrides(Database& database, SteadyTime now);
[[nodiscard]] Result<std::optional<Policy>> policy(Database& database, const std::string& name);
[[nodiscard]] Result<std::vector<traffic::AuditEntry>> audit(Database& database,
                                                             const AuditQuery& query);
[[nodiscard]] Result<std::optional<std::string>> meta(Database& database, const std::string& key);
[[nodiscard]] Result<std::optional<SteadyTime>> saved_clock(Database& database);
[[nodiscard]] Result<std::optional<Answer>> answer(Database& database,
                                                   const std::string& key,
                                                   SteadyTime now);
[[nodiscard]] Result<Counts> counts(Database& database);

/// Bytes of the database that are in use: its pages without the free ones.
[[nodiscard]] Result<std::int64_t> used_bytes(Database& database);

}  // namespace liminal::sqlite
