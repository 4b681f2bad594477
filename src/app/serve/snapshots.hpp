#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/log.hpp"
#include "app/serve/blocking_thread.hpp"
#include "io/files/snapshot_folder.hpp"
#include "io/prometheus/histogram.hpp"
#include "io/sqlite/store.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::app {

/// In the data directory.
inline constexpr std::string_view kSnapshotFolder = "snapshots";
inline constexpr std::string_view kJournalFolder = "journal";

/// Keeps the engine's state on disk and brings it back: each shard in a file of its own, replaced
/// when its turn comes and somebody did something since.
///
/// Once a second the next few shards have their turn, so that all had one within five seconds, or,
/// when they are large, as fast as 16 MiB a second allow: no second is longer for it than saving
/// one shard takes its thread, and a kill loses what a shard learnt since its last turn. Older
/// snapshots are kept for replays as far as the journal reaches (files/snapshot_folder.hpp).
class Snapshots {
 public:
  struct Parts {
    files::FileSystem& system;
    Log& log;
    /// Where the journal begins that replays continue with; none without one.
    std::function<std::optional<SteadyTime>()> journal_begin;
  };
  struct Options {
    std::string folder, journal;                     ///< the journal's may be that of a life before
    Duration keep_every = std::chrono::minutes{30};  ///< of the journal's hour
    std::uint64_t kept_bytes_max = 256U << 20;
  };
  struct Counters {
    std::uint64_t saved = 0, failed = 0;  ///< since the start
    std::uint64_t bytes = 0;              ///< of the newest of all
    std::uint64_t kept_bytes = 0;         ///< of older ones
    /// Until when the newest of every shard has all that was done; the begin of time before all
    /// were saved once.
    SteadyTime current;
  };

  /// What cannot be had is said in the log; then nothing is saved and nothing loaded.
  Snapshots(const Parts& parts, const Options& options);

  /// Loads what is there, and lives on what the journal has since, before the runtime starts.
  void load(shards::Runtime& runtime);

  /// Once a second, while the runtime runs.
  void second(shards::Runtime& runtime);

  /// Waits for what is being written; then nothing more is.
  void stop();
  /// Saves all that changed, after the runtime stopped.
  void save_all(const shards::Runtime& runtime);

  [[nodiscard]] Counters counters() const;
  /// What writing one took. Any thread.
  [[nodiscard]] prometheus::Histogram save_seconds() const { return save_seconds_.read(); }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  struct Saved {
    std::uint64_t changes = kNever;  ///< that it has had: none that can be, before the first
    SteadyTime time;
    SteadyTime current;  ///< until when nobody has done anything since
    std::size_t bytes = 0;
    std::optional<SteadyTime> kept;  ///< when one was last kept; none in this life
  };

  [[nodiscard]] std::optional<SteadyTime> oldest() const;
  [[nodiscard]] std::size_t turns() const;
  void save(shards::Runtime& runtime, ShardId shard, bool last);
  void save_commons(shards::Runtime& runtime);
  void write(ShardId shard, const shards::SavedShard& saved);
  void write_commons(const std::string& bytes, SteadyTime time);
  [[nodiscard]] bool put(const files::SnapshotHeader& header,
                         const std::string& payload,
                         bool keep);
  void still_current(ShardId shard, SteadyTime now);
  void end_turn();
  [[nodiscard]] const std::string& words_of(
      const std::shared_ptr<const engine::Settings>& settings);

  const Parts parts_;
  const Options options_;
  std::optional<files::SnapshotFolder> folder_;  ///< of the thread, once the runtime runs
  mutable std::mutex mutex_;                     // of what follows
  std::array<Saved, kShards> saved_{};
  Counters counters_;
  // Of who calls `second`.
  std::size_t next_ = 0;  ///< whose turn it is
  std::atomic<bool> writing_{false};
  // Of the thread.
  std::shared_ptr<const engine::Settings> described_;
  std::string description_;
  prometheus::LiveHistogram save_seconds_;  ///< written by the thread, and when it is gone
  std::unique_ptr<BlockingThread> thread_;
};

/// Gives the shards what the store has of alerts and overrides: it may know of more than the
/// snapshots, as what was acknowledged after they were made. And tells the sink of alerts that the
/// shards have and the store has not, since it was killed before it had committed them. After
/// `Snapshots::load`, before the runtime starts.
void adopt_what_was_shown(sqlite::Store& store,
                          shards::Runtime& runtime,
                          shards::Sink& sink,
                          SteadyTime now);

}  // namespace liminal::app
