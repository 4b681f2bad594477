#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/sqlite/checkpointer.hpp"
#include "io/sqlite/database.hpp"
#include "io/sqlite/health.hpp"
#include "io/sqlite/retention.hpp"
#include "io/sqlite/write_queue.hpp"

namespace liminal::sqlite {

/// The one thread that writes: takes batches from the queue and commits them.
///
/// Guarantees: who waits for a group hears of success only after its transaction is committed; a
/// group is whole or absent; groups are committed in the order they were taken. When the disk is
/// full, the database is locked, damaged or away, the writer keeps what it took, reports the state
/// and tries again after `retry_min`, doubling up to `retry_max`; a database that cannot be used is
/// closed and opened again by its path, so that an operator can put another in its place without a
/// restart. Feature rows have a transaction of their own: they never keep anything else waiting.
class Writer {
 public:
  struct Options {
    std::string path;
    std::string vfs;                  ///< see `Database::Options`
    bool survive_power_loss = false;  ///< synchronous=FULL: an fsync a commit
    std::chrono::milliseconds retry_min{50};
    std::chrono::milliseconds retry_max{2'000};
    /// After closing, how long a failing database is tried before what waits is given up.
    std::chrono::milliseconds close_patience{1'000};
    std::chrono::milliseconds retention_every{10'000};
    Retention retention;
    /// Is told, on the writer's thread, what each commit took: for a histogram. May be empty.
    std::function<void(Duration)> on_commit;
  };

  struct Counters {
    std::uint64_t commits = 0;
    std::array<std::uint64_t, kWriteKinds> writes_committed{};  ///< `table_of` names them
    std::uint64_t groups_rejected = 0;  ///< broke a constraint: their senders were told
    std::uint64_t groups_lost = 0;      ///< not committed before closing: their senders were told
    std::uint64_t rows_committed = 0;
    std::uint64_t rows_lost = 0;  ///< not committed before closing
    std::uint64_t rows_removed = 0;
    std::uint64_t openings = 0;  ///< of the database: changes when readers must open it anew
  };

  /// Starts the thread. `queue` and `health` outlive the writer.
  Writer(Options options, WriteQueue& queue, HealthKeeper& health);
  ~Writer() { close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Closes the queue, commits what waits, and tells who waits for what could not be. Nobody is
  /// told anything after it. The owner's thread; a second time does nothing.
  void close();
  /// Thread-safe. Says what time the engine has.
  void advance(SteadyTime now) { now_ns_.store(nanoseconds(now), std::memory_order_relaxed); }
  /// Thread-safe. Holds from the next time that something is removed.
  void set_retention(const Retention& retention);
  /// Thread-safe.
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::uint64_t openings() const { return openings_.load(); }

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  [[nodiscard]] Result<void> work();
  [[nodiscard]] Result<void> open();
  [[nodiscard]] Result<void> commit_groups();
  [[nodiscard]] Result<void> commit_rows();
  [[nodiscard]] Result<void> commit_clock();
  [[nodiscard]] Result<void> forget();
  [[nodiscard]] Result<void> keep_retention();
  void tend_log();
  [[nodiscard]] Result<void> apply_groups(std::vector<Result<void>>& outcomes);
  void settle(const std::vector<Group>& groups, const std::vector<Result<void>>& outcomes);
  void committed_after(Clock::time_point start);
  void recover(const Error& error);
  void give_up();
  [[nodiscard]] bool busy() const;

  const Options options_;
  WriteQueue& queue_;
  HealthKeeper& health_;
  Checkpointer checkpointer_;
  int log_pages_ = 0, log_pages_seen_ = 0;  ///< of the write-ahead log; when it was last looked at
  std::optional<Database> database_;
  std::int64_t schema_ = 0;

  // What was taken from the queue and is not committed yet.
  std::vector<Group> groups_;
  std::vector<traffic::FeatureRow> rows_;
  std::vector<Forget> forgets_;
  std::uint64_t forgotten_ = 0;  ///< rows of forgets_.front() so far

  std::atomic<std::int64_t> now_ns_{0};
  std::int64_t saved_ns_ = 0;
  bool catching_up_ = false;  ///< retention has more to remove
  Clock::time_point clock_due_{}, retention_due_{};
  std::chrono::milliseconds pause_{0};

  mutable std::mutex mutex_;  ///< guards the two that follow
  Counters counters_;
  Retention retention_;
  std::atomic<std::uint64_t> openings_{0};
  std::thread thread_;  // last: everything else exists when it starts
};

}  // namespace liminal::sqlite
