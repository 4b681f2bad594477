#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/segment_log.hpp"
#include "server/journal/entry.hpp"

namespace liminal::journal {

struct Options {
  files::SegmentLogOptions log;  ///< one hour and 256 MiB by default
  /// What one shard may have waiting for the disk; more is not kept, and counted. It takes a disk
  /// that stands still for seconds under full load.
  std::size_t shard_bytes_max = 1U << 20;
  /// How often what waits is written: what a kill may cost.
  std::chrono::milliseconds interval{100};
  /// How often what was written is synced: what a loss of power may cost.
  std::chrono::milliseconds sync_interval{1'000};
  /// Settings in words, which `ParseSettings` understands. Called on the threads that record.
  std::function<std::string(const engine::Settings&)> describe;
};
[[nodiscard]] Problems validate(const Options& options, std::string_view at = "journal");

struct Counters {
  std::uint64_t dropped_inputs = 0;  ///< the disk was too slow
  std::uint64_t failures = 0;        ///< intervals of which something may be missing
  std::uint64_t bytes = 0;           ///< on disk
  std::optional<SteadyTime> begin;   ///< no input that is there is older; none when it is empty
  files::SegmentLogCounters log;
};

/// Keeps the inputs of all shards for a while, so that with a snapshot any recent decision can be
/// lived through again, bit for bit (docs/formats/journal.md).
///
/// The calls that record come from the threads that own the shards, before the input is carried
/// out; they copy into a bounded buffer of that shard under a lock that nobody holds for long, and
/// never wait for the disk. A thread of its own writes. What could not be kept shows as a gap in
/// the inputs' numbers: a replay stops there and says so; it is never wrong.
///
/// Cost: some 100 ns an event.
class Journal {
 public:
  /// `system` must outlive it; `options` must be valid; `now` is the engine's time.
  [[nodiscard]] static Result<std::unique_ptr<Journal>> open(files::FileSystem& system,
                                                             const Options& options,
                                                             SteadyTime now);
  /// Writes what waits.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void event(ShardId shard, std::uint64_t input, const traffic::Event& event);
  void tick(ShardId shard, std::uint64_t input, SteadyTime now);
  void absorb(ShardId shard, std::uint64_t input, const engine::Exchange& exchange);
  void call(ShardId shard, std::uint64_t input, const engine::Call& call);

  [[nodiscard]] Counters counters() const;

 private:
  /// A line of the cache each: shards of different threads must not meet.
  struct alignas(64) Buffer {
    std::mutex mutex;
    Writer entries;
  };

  Journal(const Options& options, files::SegmentLog log, SteadyTime now);

  template <class Append>
  void record(ShardId shard, Append append);
  void keep(const engine::Exchange& exchange);
  /// Gives their hash; 0 when there is nobody to describe them.
  [[nodiscard]] std::uint64_t keep(const std::shared_ptr<const engine::Settings>& settings);
  void keep(std::string record);
  void run();
  void write(bool sync);

  const Options options_;
  files::SegmentLog log_;  ///< of the thread alone, once it runs
  std::atomic<std::int64_t> now_;
  std::atomic<std::uint64_t> dropped_inputs_{0};
  std::array<Buffer, kShards> buffers_;
  std::mutex shared_mutex_;          // of what follows
  std::vector<std::string> shared_;  ///< records that entries of several shards refer to
  std::uint64_t last_exchange_ = 0;
  /// Held, so that no others can come to lie where they did.
  std::shared_ptr<const engine::Settings> last_settings_;
  std::uint64_t last_settings_hash_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  Counters counters_;
  bool stopping_ = false;
  std::thread thread_;
};

/// What a reading found.
struct Summary {
  std::uint64_t entries = 0;
  std::uint64_t missing_records = 0;  ///< of the log: see `files::SegmentLogSummary`
  std::uint64_t unreadable = 0;       ///< records that made no sense: written by other software
};

/// Gives all entries that are kept, those of one shard in order, until the visitor says false: from
/// the record with the number `from` on. May run beside a journal that is written.
[[nodiscard]] Result<Summary> read_journal(files::FileSystem& system,
                                           const files::SegmentLogOptions& log,
                                           EntryReader reader,
                                           const std::function<bool(const Entry&)>& visit,
                                           std::uint64_t from = 0);

}  // namespace liminal::journal
