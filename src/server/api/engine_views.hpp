#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/shard.hpp"
#include "server/api/backend.hpp"
#include "server/api/salience_port.hpp"

namespace liminal::api {

// What the engine knows, in the words of the API: for whoever has shards and implements `Backend`.
// All of them only look; the shard's owner calls.

/// What detectors say of a user now: the open alert of each finding, or one with number 0 when none
/// was raised. None when the user is not known.
[[nodiscard]] std::optional<std::vector<traffic::Alert>> judged_now(const engine::Shard& shard,
                                                                    const std::string& user);

/// The explanation of an alert that a gateway told of: what led to it is known there.
[[nodiscard]] Explanation explained_there(traffic::Alert alert);

/// The user as the shard has it: all but the alerts of the past. None when not known.
[[nodiscard]] std::optional<UserView> user_view(const engine::Shard& shard,
                                                const std::string& user,
                                                const limits::Options& options);

/// Users with their rank, the first of the order first.
using RankedUsers = std::vector<std::pair<double, UserSummary>>;

/// Puts a shard's users among those of the shards before it, and keeps the first `query.limit`.
void add_users(const engine::Shard& shard,
               const UserQuery& query,
               const SaliencePort& salience,
               RankedUsers& users);

/// Users of whom enough is known to speak of a baseline.
[[nodiscard]] std::uint64_t baselines(const engine::Shard& shard);

/// What shards have together, for status and metrics.
struct EngineTotals {
  engine::Counters counters;
  std::uint64_t users = 0, baselines = 0, memory_bytes = 0;
  double active_users = 0;                     ///< seen within five minutes
  std::array<std::uint64_t, 4> open_alerts{};  ///< by severity
  std::array<std::uint64_t, 3> overrides{};    ///< by kind

  void add(const engine::Shard& shard);
};

/// Writes them into a status whose `uptime_s` is known.
void tell(const EngineTotals& totals, Status& status);
/// And as metrics.
void add_totals(const EngineTotals& totals, prometheus::Snapshot& out);

/// Alerts raised so far, of types that were or that are raised at this severity.
void add_raised(const std::function<std::uint64_t(traffic::FindingType, traffic::Severity)>& raised,
                prometheus::Snapshot& out);

/// What goes on among all users, as metrics.
void add_crowd(const features::CrowdSummary& crowd, prometheus::Snapshot& out);

}  // namespace liminal::api
