#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/engine/alert_book.hpp"
#include "core/engine/champion.hpp"
#include "core/traffic/record.hpp"
#include "core/traffic/verdict.hpp"

namespace liminal::engine {

/// What the shell has to carry out after one input. Reused from input to input: the engine adds,
/// the shell carries out and clears.
struct Effects {
  traffic::Verdict verdict;                ///< on the event of this step
  std::vector<AlertChange> alerts;         ///< to store and push out, in order
  std::vector<traffic::FeatureRow> rows;   ///< to store
  std::vector<traffic::AuditEntry> audit;  ///< to store: what was enforced or expired
  std::vector<Ask> asks;                   ///< of the champion: to answer by `Shard::take`, soon

  void clear() {
    verdict = {};
    alerts.clear();
    rows.clear();
    audit.clear();
    asks.clear();
  }
};

/// What a shard has counted since it was made. Plain numbers, summed over shards by the shell.
struct Counters {
  std::array<std::uint64_t, traffic::kEventKinds> events{};  ///< by kind
  std::uint64_t errors = 0;                                  ///< messages that failed
  std::uint64_t message_bytes = 0;
  std::uint64_t late = 0;   ///< events older than their user's last, counted at that time
  std::uint64_t early = 0;  ///< events ahead of the engine's time, counted at its horizon
  std::uint64_t users_evicted = 0;
  std::uint64_t addresses_evicted = 0;
  std::uint64_t scores_asked = 0;     ///< of the champion
  std::uint64_t scores_answered = 0;  ///< of these, in time for the champion in force
  /// By type and severity.
  std::array<std::array<std::uint64_t, 4>, traffic::kFindingTypes> findings{};
  /// By decision and reason: what was done, and what would have been done in enforce.
  std::array<std::array<std::uint64_t, traffic::kReasons>, 4> enforced{};
  std::array<std::array<std::uint64_t, traffic::kReasons>, 4> shadow{};
  /// Of these, where a finding was the reason: by its type.
  std::array<std::array<std::uint64_t, traffic::kFindingTypes>, 4> enforced_findings{};
  std::array<std::array<std::uint64_t, traffic::kFindingTypes>, 4> shadow_findings{};

  Counters& operator+=(const Counters& other);
};

}  // namespace liminal::engine
