#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "io/sqlite/directory_lock.hpp"
#include "io/sqlite/health.hpp"
#include "io/sqlite/queries.hpp"
#include "io/sqlite/reader_pool.hpp"
#include "io/sqlite/records.hpp"
#include "io/sqlite/write_queue.hpp"
#include "io/sqlite/writer.hpp"

namespace liminal::sqlite {

/// Everything that must outlive the process, in one SQLite database in the data directory:
/// alerts and feedback, overrides and policies, the audit log, sampled feature rows, the engine's
/// clock and answers to be repeated (docs/formats/store.md).
///
/// Writing never waits: it puts into a bounded queue (write_queue.hpp has the overflow policy),
/// from which one thread commits batches. What somebody waits for is committed at once, together
/// with whatever else is there; the rest at most 100 ms later. Reading goes through connections of
/// its own and sees all that was acknowledged.
///
/// What is lost when the process is killed: nothing that was acknowledged; of what nobody waited
/// for, what came in the last 100 ms (and while a batch was being committed). When the machine
/// loses power: also what was committed since the last checkpoint of the write-ahead log (4 MiB, or
/// some 10 s of 1,000 rows a second), unless `survive_power_loss`; the database stays intact.
///
/// When the disk is full, or the database locked, damaged or gone, the store keeps serving: it
/// reports its state, keeps what waits, tries again, and refuses more only when the queue is full.
///
/// Thread-safe.
class Store {
 public:
  struct Options {
    std::string directory;
    WriteQueue::Options queue;
    Retention retention;
    std::size_t read_connections = 4;
    bool survive_power_loss = false;  ///< an fsync a commit
    /// Called by whichever thread finds the change; must be quick and not call the store.
    HealthKeeper::Listener on_health;
    /// Called on the writer's thread with what each commit took: for a histogram. May be empty.
    std::function<void(Duration)> on_commit;
    /// How often a failing database is tried again; tests hurry it.
    std::chrono::milliseconds retry_min{50}, retry_max{2'000};
    /// How long closing tries to commit what waits when that fails.
    std::chrono::milliseconds close_patience{1'000};
    std::string vfs;  ///< empty: the system's; tests inject faults here
  };
  [[nodiscard]] static Problems validate(const Options& options);

  /// Makes the directory if need be, locks it and opens the database. Fails only when the directory
  /// cannot be had: kConflict when another process has it, kIo (position: errno). A database that
  /// cannot be opened now is a matter of `health()`. `options` must be valid.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const Options& options);

  /// As `close`.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Commits what waits (when that fails, for at most `close_patience`), and takes nothing more.
  /// After it no `done` is called: what they refer to may go. Reading goes on. Of the owner's
  /// thread, once; it must not be one that is called with a `done`.
  void close() { writer_.close(); }

  // --- Writing -------------------------------------------------------------------------------

  /// Queues writes that are committed together or not at all. With `done`, it is called once with
  /// the outcome, on the writer's thread: success means committed; kConflict, kTooLarge and
  /// kOutOfRange that the write itself was refused; kUnavailable that it was closed before it could
  /// be committed. Errors: kUnavailable when the queue is full; `done` is not called then.
  Result<void> put(std::vector<Write> writes, Acknowledge done = {});
  Result<void> put(Write write, Acknowledge done = {});

  /// The same, for who can wait.
  [[nodiscard]] std::future<Result<void>> commit(std::vector<Write> writes);

  /// Queues a feature row if the sampler takes it. False when it was thinned or dropped.
  bool put_row(traffic::FeatureRow row);

  /// Removes feature rows older than a moment, in the background; tells how many there were.
  Result<void> forget_rows(SteadyTime before, std::function<void(Result<std::uint64_t>)> done);

  /// Says what time the engine has: what ages are counted from, and what is persisted once a second
  /// as `clock()`. Call it once a second.
  void advance(SteadyTime now);

  /// Changes how long and how much is kept, from the next removal on (every 10 s). Must be valid.
  void set_retention(const Retention& retention);

  // --- Reading -------------------------------------------------------------------------------

  [[nodiscard]] Result<std::vector<traffic::Alert>> alerts(const AlertQuery& query);
  [[nodiscard]] Result<std::optional<traffic::Alert>> alert(ShardId shard, std::uint64_t number);
  /// The largest alert number of each shard: a shard that starts from an older snapshot must count
  /// on from there, or it would overwrite alerts.
  [[nodiscard]] Result<AlertNumbers> alert_numbers();
  [[nodiscard]] Result<std::vector<Feedback>> feedback(std::size_t limit,
                                                       std::optional<SteadyTime> since = {});
  [[nodiscard]] Result<std::optional<Feedback>> last_feedback(ShardId shard, std::uint64_t number);
  /// What was said after that number, the oldest first.
  [[nodiscard]] Result<std::vector<NumberedFeedback>> feedback_after(std::uint64_t number,
                                                                     std::size_t limit);
  [[nodiscard]] Result<std::uint64_t> count_feedback_after(std::uint64_t number);
  [[nodiscard]] Result<std::vector<traffic::FeatureRow>> feature_rows(const RowQuery& query);
  /// Those that have not expired.
  [[nodiscard]] Result<std::vector<traffic::Override>> overrides(SteadyTime now);
  [[nodiscard]] Result<std::optional<Policy>> policy(const std::string& name);
  [[nodiscard]] Result<std::vector<traffic::AuditEntry>> audit(const AuditQuery& query);
  [[nodiscard]] Result<std::optional<std::string>> meta(const std::string& key);
  /// The engine's time when it was last saved; none in a new directory.
  [[nodiscard]] Result<std::optional<SteadyTime>> clock();
  /// The answer that was given to an idempotency key, until it expires.
  [[nodiscard]] Result<std::optional<Answer>> answer(const std::string& key, SteadyTime now);
  [[nodiscard]] Result<Counts> counts();

  // --- State ---------------------------------------------------------------------------------

  struct Counters {
    WriteQueue::Counters queue;
    Writer::Counters writer;
  };
  [[nodiscard]] StoreHealth health() const;
  [[nodiscard]] Counters counters() const;

 private:
  Store(const Options& options, DirectoryLock lock);

  DirectoryLock lock_;  // outlives the rest
  HealthKeeper health_;
  WriteQueue queue_;
  Writer writer_;
  ReaderPool readers_;
};

/// The database's file in a data directory.
inline constexpr std::string_view kDatabaseFile = "liminal.db";

}  // namespace liminal::sqlite
