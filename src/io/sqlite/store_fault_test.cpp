#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>

#include "io/sqlite/fault_vfs.hpp"
#include "io/sqlite/store.hpp"
#include "io/sqlite/test_records.hpp"

namespace liminal::sqlite {
namespace {

using std::chrono::milliseconds;

/// Collects the states that a store goes through, so that tests wait for them and not for a time.
class States {
 public:
  void add(const StoreHealth& health) {
    const std::lock_guard lock(mutex_);
    state_ = health.state;
    changed_.notify_all();
  }
  void wait_for(StoreState state) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return state_ == state; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  StoreState state_ = StoreState::kOpening;
};

class StoreFaultTest : public ::testing::Test {
 protected:
  [[nodiscard]] Store::Options options() {
    Store::Options options;
    options.directory = directory_.path();
    options.vfs = kFaultVfs;
    options.on_health = [this](const StoreHealth& health) { states_.add(health); };
    options.retry_min = options.retry_max = milliseconds{2};
    options.close_patience = milliseconds{50};
    return options;
  }
  [[nodiscard]] std::string database() const { return directory_.path() + "/liminal.db"; }
  void open(const Store::Options& options) {
    auto opened = Store::open(options);
    ASSERT_TRUE(opened);
    store_ = *std::move(opened);
  }
  void open() { open(options()); }

  void recovers_from(int code, StoreState state) {
    open();
    ASSERT_TRUE(store_->commit({an_alert(1, 1)}).get());
    faults_.fail_writes(code);
    auto waiting = store_->commit({an_alert(1, 2)});
    states_.wait_for(state);
    EXPECT_EQ(waiting.wait_for(milliseconds{0}), std::future_status::timeout);
    EXPECT_EQ(store_->health().sqlite_code, code);
    EXPECT_GT(store_->health().failures, 0u);
    // What was acknowledged is still read while writing fails.
    EXPECT_TRUE(store_->alert(ShardId{1}, 1)->has_value());
    auto later = store_->commit({an_alert(1, 3)});
    faults_.fail_writes(0);
    EXPECT_TRUE(waiting.get());
    EXPECT_TRUE(later.get());
    states_.wait_for(StoreState::kOk);
    EXPECT_EQ(store_->counts()->alerts, 3u);
  }

  TemporaryDirectory directory_;
  FaultVfs faults_;
  States states_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreFaultTest, KeepsEverythingThroughAFullDisk) {
  recovers_from(SQLITE_FULL, StoreState::kFull);
}

TEST_F(StoreFaultTest, WhoWaitsIsToldWhenItClosesAndNobodyAfterwards) {
  open();
  ASSERT_TRUE(store_->commit({an_alert(1, 1)}).get());
  faults_.fail_writes(SQLITE_FULL);
  auto told = std::make_unique<std::vector<ErrorCode>>();
  ASSERT_TRUE(store_->put(
      an_alert(1, 2), [&told](Result<void> outcome) { told->push_back(outcome.error().code); }));
  store_->close();
  EXPECT_EQ(*told, std::vector{ErrorCode::kUnavailable});
  told.reset();
  EXPECT_EQ(store_->commit({an_alert(1, 3)}).get().error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(store_->alert(ShardId{1}, 1)->has_value());
  store_.reset();
}

TEST_F(StoreFaultTest, KeepsEverythingThroughInputOutputErrors) {
  recovers_from(SQLITE_IOERR_WRITE, StoreState::kIo);
}

TEST_F(StoreFaultTest, ADiskThatFillsUpWithinABatchLosesAndDoublesNothing) {
  open();
  for (int room = 0; room < 40; ++room) {
    faults_.fail_writes_after(room, SQLITE_FULL);
    std::vector<std::future<Result<void>>> waiting;
    for (int i = 0; i < 5; ++i) {
      const traffic::AuditEntry entry{at_s(room), "engine", "drop", std::to_string(i), ""};
      waiting.push_back(store_->commit({entry}));
    }
    for (int i = 0; i < 1'000 && store_->health().state == StoreState::kOk; ++i)
      std::this_thread::yield();
    faults_.fail_writes(0);
    for (auto& outcome : waiting) EXPECT_TRUE(outcome.get());
  }
  EXPECT_EQ(store_->audit({.limit = 1'000})->size(), 200u);
}

TEST_F(StoreFaultTest, WaitsForALockThatAnotherProcessHolds) {
  open();
  auto other = Database::open(database(), {});
  ASSERT_TRUE(other && other->run("BEGIN IMMEDIATE"));
  auto waiting = store_->commit({a_rate("ann")});
  states_.wait_for(StoreState::kLocked);
  EXPECT_TRUE(store_->overrides(at_s(0))->empty());
  ASSERT_TRUE(other->run("ROLLBACK"));
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(store_->overrides(at_s(0))->size(), 1u);
}

TEST_F(StoreFaultTest, StartsWithoutADatabaseThatIsNoneAndTakesUpTheOneThatReplacesIt) {
  std::ofstream(database()) << std::string(8'192, 'x');
  open();
  EXPECT_EQ(store_->health().state, StoreState::kCorrupt);
  EXPECT_EQ(store_->alerts({}).error().code, ErrorCode::kUnavailable);
  auto waiting = store_->commit({an_alert(1, 1)});
  std::filesystem::rename(database(), database() + ".broken");
  EXPECT_TRUE(waiting.get());
  states_.wait_for(StoreState::kOk);
  EXPECT_EQ(store_->counts()->alerts, 1u);
}

TEST_F(StoreFaultTest, WritesIntoTheFileThatIsThereWhenItsOwnWasMovedAway) {
  open();
  ASSERT_TRUE(store_->commit({an_alert(1, 1)}).get());
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database() + suffix);
  ASSERT_TRUE(store_->commit({an_alert(1, 2)}).get());
  EXPECT_TRUE(store_->alert(ShardId{1}, 2)->has_value());
  EXPECT_FALSE(store_->alert(ShardId{1}, 1)->has_value());
  EXPECT_EQ(store_->counters().writer.openings, 2u);
}

TEST_F(StoreFaultTest, LeavesADatabaseOfANewerProgramAlone) {
  open();
  store_.reset();
  {
    auto newer = Database::open(database(), {});
    ASSERT_TRUE(newer && newer->script("PRAGMA user_version = 1000"));
  }
  open();
  EXPECT_EQ(store_->health().state, StoreState::kTooNew);
  EXPECT_FALSE(store_->alerts({}));
}

TEST_F(StoreFaultTest, ReportsDamageThatAReadFinds) {
  open();
  ASSERT_TRUE(store_->commit({an_alert(1, 1)}).get());
  {
    auto vandal = Database::open(database(), {});
    ASSERT_TRUE(vandal && vandal->run("UPDATE alerts SET worst = x'ff'"));
  }
  EXPECT_EQ(store_->alerts({}).error().code, ErrorCode::kChecksum);
  EXPECT_EQ(store_->health().state, StoreState::kCorrupt);
  EXPECT_TRUE(store_->commit({an_alert(1, 2)}).get());
}

TEST_F(StoreFaultTest, RefusesWhatTheQueueCannotHoldAndTellsWhoWaitsWhenItCloses) {
  Store::Options small = options();
  small.queue.groups_max = 10;
  small.queue.batch_max = 5;
  open(small);
  faults_.fail_writes(SQLITE_FULL);
  std::vector<std::future<Result<void>>> outcomes;
  outcomes.push_back(store_->commit({a_rate("first")}));
  states_.wait_for(StoreState::kFull);
  for (int i = 0; i < 20; ++i) outcomes.push_back(store_->commit({a_rate(std::to_string(i))}));
  EXPECT_EQ(store_->counters().queue.groups_refused, 10u);
  EXPECT_EQ(store_->counters().queue.groups_waiting, 10u);
  store_.reset();
  for (auto& outcome : outcomes) {
    const Result<void> told = outcome.get();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, ErrorCode::kUnavailable);
  }
}

TEST_F(StoreFaultTest, RowsBeyondTheQueueAreDroppedAndCounted) {
  Store::Options small = options();
  small.queue.rows_max = 10;
  open(small);
  faults_.fail_writes(SQLITE_FULL);
  auto waiting = store_->commit({an_alert(1, 1)});
  states_.wait_for(StoreState::kFull);
  for (int i = 0; i < 100; ++i) store_->put_row(a_row(std::to_string(i), at_s(0)));
  EXPECT_GE(store_->counters().queue.rows_dropped, 80u);  // the writer may hold ten more
  faults_.fail_writes(0);
  EXPECT_TRUE(waiting.get());
}

TEST_F(StoreFaultTest, AFailingSyncIsNoAcknowledgement) {
  Store::Options careful = options();
  careful.survive_power_loss = true;
  open(careful);
  faults_.fail_syncs(SQLITE_IOERR_FSYNC);
  auto waiting = store_->commit({an_alert(1, 1)});
  states_.wait_for(StoreState::kIo);
  EXPECT_EQ(waiting.wait_for(milliseconds{0}), std::future_status::timeout);
  faults_.fail_syncs(0);
  EXPECT_TRUE(waiting.get());
}

TEST_F(StoreFaultTest, ASlowDiskHoldsUpNoCommitForACheckpoint) {
  open();
  ASSERT_TRUE(store_->commit({an_alert(1, 1)}).get());
  faults_.hold_syncs();
  const std::string much(100'000, 'x');
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(store_->commit({Meta{std::to_string(i), much}}).get());
  while (FaultVfs::syncs_held() == 0) std::this_thread::yield();
  const auto log_bytes = std::filesystem::file_size(database() + "-wal");
  EXPECT_GT(log_bytes, 60 * much.size());
  faults_.let_syncs_go();
  // Who writes without a pause never lets the log begin anew by itself: it has a bound all the
  // same.
  const std::string more(2'000'000, 'x');
  for (int i = 0; i < 48; ++i) EXPECT_TRUE(store_->commit({Meta{"again", more}}).get());
  EXPECT_LT(std::filesystem::file_size(database() + "-wal"), 90'000'000u);
}

}  // namespace
}  // namespace liminal::sqlite
