#include "io/sqlite/writer.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "io/sqlite/schema.hpp"
#include "io/sqlite/transaction.hpp"
#include "io/sqlite/writes.hpp"

namespace liminal::sqlite {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIdle{1'000};       // how often the clock is saved and retention looked at
constexpr milliseconds kBusyPatience{50};  // for a lock that another process holds for a moment
constexpr milliseconds kClosingPause{20};

constexpr int kLogPages = 1'000;      // 4 MiB: a checkpoint is asked for, and again every so many
constexpr int kLogPagesMax = 16'000;  // 64 MiB: commits wait for one

/// Whether the write itself is at fault: trying it again would fail again.
bool is_of_the_write(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
    case ErrorCode::kTooLarge:
    case ErrorCode::kOutOfRange:
      return true;
    default:
      return false;
  }
}

/// Whether the connection is of no use any more. A full disk or a lock goes by.
bool is_of_the_connection(const Error& error) {
  const StoreState state = state_of(error);
  return state != StoreState::kFull && state != StoreState::kLocked;
}

Result<void> apply_all(Database& database, const Group& group, std::int64_t schema) {
  for (const Write& write : group.writes) {
    if (auto done = apply(database, write, schema); !done) return done;
  }
  return {};
}

/// A group within the batch's transaction: one that cannot be written must not undo the others.
Result<void> apply_group(Database& database, const Group& group, std::int64_t schema) {
  if (auto begun = database.run("SAVEPOINT one"); !begun) return tl::unexpected(begun.error());
  const Result<void> done = apply_all(database, group, schema);
  // When SQLite has undone everything, the whole batch must come again.
  if (!done && database.idle())
    return is_of_the_write(done.error()) ? failure(ErrorCode::kIo, SQLITE_ABORT_ROLLBACK) : done;
  if (!done) {
    if (auto undone = database.run("ROLLBACK TO one"); !undone)
      return tl::unexpected(undone.error());
  }
  if (auto released = database.run("RELEASE one"); !released)
    return tl::unexpected(released.error());
  return done;
}

Result<void> configure(Database& database, const Writer::Options& options) {
  std::string mode;
  return database.each("PRAGMA journal_mode = WAL", {}, [&](const Row& row) { mode = row.text(0); })
      .and_then([&]() -> Result<void> {
        // A file system without shared memory cannot have a write-ahead log.
        if (mode != "wal") return failure(ErrorCode::kIo, SQLITE_CANTOPEN);
        return {};
      })
      .and_then([&] {
        return options.survive_power_loss ? database.script("PRAGMA synchronous = FULL")
                                          : database.script("PRAGMA synchronous = NORMAL");
      })
      .and_then([&] {
        return database.script(
            "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
            "PRAGMA cache_size = -8192;");
      });
}

}  // namespace

Writer::Writer(Options options, WriteQueue& queue, HealthKeeper& health)
    : options_(std::move(options)),
      queue_(queue),
      health_(health),
      checkpointer_(options_.path, options_.vfs),
      retention_(options_.retention) {
  thread_ = std::thread([this] { run(); });
}

void Writer::close() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

/// More is known to be left to do.
bool Writer::busy() const {
  return !groups_.empty() || !rows_.empty() || !forgets_.empty() || catching_up_;
}

void Writer::run() {
  std::optional<Clock::time_point> give_up_at;
  for (;;) {
    const bool waits = database_ && !busy();
    WriteQueue::Batch batch =
        queue_.take(waits ? kIdle : milliseconds{0}, groups_.empty(), rows_.empty());
    if (!batch.groups.empty()) groups_ = std::move(batch.groups);
    if (!batch.rows.empty()) rows_ = std::move(batch.rows);
    std::move(batch.forgets.begin(), batch.forgets.end(), std::back_inserter(forgets_));

    const Result<void> done = work();
    if (done) {
      health_.report(nullptr);
      pause_ = milliseconds{0};
      if (batch.closed && batch.drained && !busy()) return;
      continue;
    }
    recover(done.error());
    if (batch.closed) {
      if (!give_up_at) give_up_at = Clock::now() + options_.close_patience;
      if (Clock::now() >= *give_up_at) return give_up();
      std::this_thread::sleep_for(kClosingPause);
    } else {
      queue_.rest(pause_);
    }
  }
}

Result<void> Writer::work() {
  if (!database_) {
    if (auto opened = open(); !opened) return opened;
  }
  // A file that was moved or deleted still takes writes, which nobody would find again.
  if (database_->moved()) return failure(ErrorCode::kIo, SQLITE_READONLY_DBMOVED);
  // In the order of what must not be lost.
  return commit_groups()
      .and_then([this] { return commit_rows(); })
      .and_then([this] { return commit_clock(); })
      .and_then([this] { return forget(); })
      .and_then([this] { return keep_retention(); })
      .map([this] { tend_log(); });
}

void Writer::tend_log() {
  if (log_pages_ < log_pages_seen_) log_pages_seen_ = 0;  // it began anew
  if (log_pages_ - log_pages_seen_ < kLogPages) return;
  log_pages_seen_ = log_pages_;
  // A checkpoint that fails or must wait for another is made up for by the next.
  if (log_pages_ < kLogPagesMax) {
    checkpointer_.ask();
  } else {
    (void)database_->checkpoint();
  }
}

Result<void> Writer::open() {
  Result<Database> opened = Database::open(
      options_.path, {.read_only = false, .busy_patience = kBusyPatience, .vfs = options_.vfs});
  if (!opened) return tl::unexpected(opened.error());
  const auto ready = configure(*opened, options_)
                         .and_then([&] { return migrate(*opened, migrations()); })
                         .and_then([&](std::int64_t) { return register_schema(*opened); })
                         .map([&](std::int64_t schema) { schema_ = schema; });
  if (!ready) return ready;
  database_ = std::move(*opened);
  database_->watch_log(log_pages_);
  log_pages_ = log_pages_seen_ = 0;
  openings_.fetch_add(1);
  health_.opened_anew();
  return {};
}

Result<void> Writer::apply_groups(std::vector<Result<void>>& outcomes) {
  for (const Group& group : groups_) {
    Result<void> done = apply_group(*database_, group, schema_);
    if (!done && !is_of_the_write(done.error())) return done;
    outcomes.push_back(done);
  }
  return {};
}

Result<void> Writer::commit_groups() {
  if (groups_.empty()) return {};
  const auto start = Clock::now();
  std::vector<Result<void>> outcomes;
  outcomes.reserve(groups_.size());
  auto done = in_transaction(*database_, [&] { return apply_groups(outcomes); });
  if (!done) return done;
  committed_after(start);
  settle(std::exchange(groups_, {}), outcomes);
  return {};
}

/// Counts what was committed, then tells who waits: whoever hears of it finds it counted.
void Writer::settle(const std::vector<Group>& groups, const std::vector<Result<void>>& outcomes) {
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (!outcomes[i]) {
        ++counters_.groups_rejected;
        continue;
      }
      for (const Write& write : groups[i].writes) ++counters_.writes_committed[write.index()];
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const Acknowledge& tell : groups[i].waiting) tell(outcomes[i]);
  }
}

void Writer::committed_after(Clock::time_point start) {
  if (options_.on_commit) options_.on_commit(Clock::now() - start);
  const std::lock_guard lock(mutex_);
  ++counters_.commits;
}

Result<void> Writer::commit_rows() {
  if (rows_.empty()) return {};
  const auto start = Clock::now();
  const auto added =
      in_transaction(*database_, [&] { return add_rows(*database_, rows_, schema_); });
  if (!added) {
    // A row that cannot be written at all must not be tried for ever.
    if (is_of_the_write(added.error())) rows_.clear();
    return tl::unexpected(added.error());
  }
  rows_.clear();
  committed_after(start);
  const std::lock_guard lock(mutex_);
  counters_.rows_committed += static_cast<std::uint64_t>(*added);
  return {};
}

Result<void> Writer::commit_clock() {
  const std::int64_t now_ns = now_ns_.load(std::memory_order_relaxed);
  if (now_ns <= saved_ns_ || Clock::now() < clock_due_) return {};
  const auto saved = save_clock(*database_, SteadyTime{Duration{now_ns}});
  if (!saved) return saved;
  saved_ns_ = now_ns;
  clock_due_ = Clock::now() + kIdle;
  return {};
}

Result<void> Writer::forget() {
  if (forgets_.empty()) return {};
  const auto removed = forget_rows(*database_, forgets_.front().before);
  if (!removed) return tl::unexpected(removed.error());
  forgotten_ += static_cast<std::uint64_t>(*removed);
  {
    const std::lock_guard lock(mutex_);
    counters_.rows_removed += static_cast<std::uint64_t>(*removed);
  }
  if (*removed == kRetentionStep) return {};  // there may be more: the next turn goes on
  const Forget done = std::move(forgets_.front());
  forgets_.erase(forgets_.begin());
  if (done.done) done.done(std::exchange(forgotten_, 0));
  return {};
}

Result<void> Writer::keep_retention() {
  const std::int64_t now_ns = now_ns_.load(std::memory_order_relaxed);
  if (now_ns == 0 || Clock::now() < retention_due_) return {};
  Retention retention;
  {
    const std::lock_guard lock(mutex_);
    retention = retention_;
  }
  const auto removed = retain(*database_, retention, SteadyTime{Duration{now_ns}});
  if (!removed) return tl::unexpected(removed.error());
  catching_up_ = removed->more;
  if (!catching_up_) retention_due_ = Clock::now() + options_.retention_every;
  const std::lock_guard lock(mutex_);
  counters_.rows_removed += static_cast<std::uint64_t>(removed->rows);
  return {};
}

void Writer::recover(const Error& error) {
  health_.report(&error);
  if (is_of_the_connection(error)) database_.reset();
  pause_ = std::clamp(pause_ * 2, options_.retry_min, options_.retry_max);
}

void Writer::give_up() {
  for (bool drained = false; !drained;) {
    const std::uint64_t groups = groups_.size(), rows = rows_.size();
    for (const Group& group : std::exchange(groups_, {})) {
      for (const Acknowledge& tell : group.waiting) tell(failure(ErrorCode::kUnavailable));
    }
    for (const Forget& forget : std::exchange(forgets_, {})) {
      if (forget.done) forget.done(failure(ErrorCode::kUnavailable));
    }
    rows_.clear();
    WriteQueue::Batch batch = queue_.take(milliseconds{0}, true, true);
    drained = batch.groups.empty() && batch.rows.empty() && batch.forgets.empty();
    groups_ = std::move(batch.groups);
    rows_ = std::move(batch.rows);
    forgets_ = std::move(batch.forgets);
    const std::lock_guard lock(mutex_);
    counters_.groups_lost += groups;
    counters_.rows_lost += rows;
  }
}

void Writer::set_retention(const Retention& retention) {
  const std::lock_guard lock(mutex_);
  retention_ = retention;
}

Writer::Counters Writer::counters() const {
  const std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.openings = openings_.load();
  return counters;
}

}  // namespace liminal::sqlite
