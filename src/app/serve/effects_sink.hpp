#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "app/log.hpp"
#include "core/features/recent_features.hpp"
#include "io/sqlite/store.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::app {

/// Carries out what shards decide beyond their verdicts: alerts and audit entries into the store,
/// feature rows into the store and the buffer of recent ones, alerts into the log and onwards.
///
/// Never blocks a shard: the store's queue is bounded, and what it does not take is counted.
/// Thread-safe.
class EffectsSink final : public shards::Sink {
 public:
  /// `on_alert` hears of every change of an alert, `on_rows` of every feature row, on shard
  /// threads: they must not block. May be empty.
  EffectsSink(sqlite::Store& store,
              Log& log,
              std::size_t rows_max,
              std::function<void(const engine::AlertChange&)> on_alert,
              std::function<void(const std::vector<traffic::FeatureRow>&)> on_rows)
      : store_(store),
        log_(log),
        recent_(rows_max),
        on_alert_(std::move(on_alert)),
        on_rows_(std::move(on_rows)) {}

  void deliver(engine::Effects& effects) override;
  /// Rows of another gateway: kept, and heard of by nobody.
  void take(std::vector<traffic::FeatureRow> rows);

  [[nodiscard]] std::vector<traffic::FeatureRow> rows(std::size_t limit,
                                                      std::string_view user) const;
  [[nodiscard]] std::size_t rows_buffered() const;
  [[nodiscard]] std::size_t rows_max() const { return recent_.capacity(); }
  std::size_t forget_rows(SteadyTime before);

  /// Alerts raised so far.
  [[nodiscard]] std::uint64_t raised(traffic::FindingType type, traffic::Severity severity) const {
    return raised_[static_cast<std::size_t>(type)][static_cast<std::size_t>(severity)];
  }
  /// Changes of alerts and audit entries that the store's queue did not take.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void note(const engine::AlertChange& change);

  sqlite::Store& store_;
  Log& log_;
  mutable std::mutex mutex_;
  features::RecentFeatures recent_;
  const std::function<void(const engine::AlertChange&)> on_alert_;
  const std::function<void(const std::vector<traffic::FeatureRow>&)> on_rows_;
  std::array<std::array<std::atomic<std::uint64_t>, 4>, traffic::kFindingTypes> raised_{};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace liminal::app
