#include "app/serve/revival.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "app/serve/engine_text.hpp"
#include "app/serve/server.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/journal/journal.hpp"
#include "server/shards/testing.hpp"

namespace liminal::app {
namespace {

using namespace shards::testing;

constexpr const char* kFolder = "data/journal";

/// A program that lives, is killed and starts again on the same disk. It never saves anything.
/// Remembers what stood in the file of attempts when it was removed.
class Disk : public files::MemoryFileSystem {
 public:
  Result<void> remove(const std::string& path) override {
    if (auto held = read(path, 64); held && path.ends_with("/living-on")) attempts = *held;
    return files::MemoryFileSystem::remove(path);
  }
  std::string attempts;
};

class RevivalTest : public ::testing::Test {
 protected:
  ~RevivalTest() override { close(nowhere_); }

  std::unique_ptr<shards::Runtime> start() {
    return std::make_unique<shards::Runtime>(
        shards::Options{.threads = 2}, settings(), clock_, sink_, recorder_.get());
  }
  void open_journal() {
    journal::Options options;
    options.log.folder = kFolder;
    options.interval = options.sync_interval = std::chrono::hours{1};  // it writes at its end
    options.describe = [](const engine::Settings& s) { return engine_text(s.options); };
    journal_ = std::move(*journal::Journal::open(disk_, options, clock_.now()));
    recorder_ = std::make_unique<JournalRecorder>(*journal_);
  }
  void kill() {
    recorder_.reset();
    journal_.reset();  // has written: what is killed after that
  }

  /// Lives some seconds; gives the states of the shards at their end.
  std::vector<std::uint64_t> live_and_be_killed() {
    open_journal();
    const auto runtime = start();
    revive(*runtime);
    runtime->resume(first_ += 1'000'000);
    runtime->start();
    std::vector<traffic::StoredEvent> events;
    for (int i = 0; i < 200; ++i)
      events.push_back(message("user" + std::to_string(i % 40), .01 * i));
    wait_for([&](auto done) { ASSERT_TRUE(runtime->submit(std::move(events), done)); });
    live(*runtime, hand_, 3);
    runtime->stop();
    kill();
    return states(*runtime);
  }
  void revive(shards::Runtime& runtime) { Revival(disk_, log_, kFolder, {}).live_on(runtime); }

  static std::vector<std::uint64_t> states(const shards::Runtime& runtime) {
    std::vector<std::uint64_t> all;
    for (std::uint8_t i = 0; i < kShards; ++i)
      all.push_back(runtime.shard(ShardId{i}).state_hash());
    return all;
  }

  int nowhere_ = open("/dev/null", O_WRONLY);
  Log log_{LogLevel::kInfo, LogFormat::kText, nowhere_};
  Disk disk_;
  HandClock hand_;
  shards::EngineClock clock_{1, {}, hand_.source()};
  Collector sink_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<JournalRecorder> recorder_;
  std::uint64_t first_ = 1'700'000'000'000'000;
};

TEST_F(RevivalTest, AllShardsAreWhatTheyWereWhenTheProcessWasKilled) {
  for (int life = 0; life < 3; ++life) {
    const std::vector<std::uint64_t> before = live_and_be_killed();
    const auto again = start();
    EXPECT_NE(states(*again), before);
    revive(*again);
    EXPECT_EQ(states(*again), before) << "life " << life;
  }
}

TEST_F(RevivalTest, WhatTwoStartsDidNotComeThroughTheNextDoesWithout) {
  const std::vector<std::uint64_t> before = live_and_be_killed();
  const std::string attempts = std::string(kFolder) + "/living-on";
  const auto attempted = [&](std::string_view times) {
    ASSERT_TRUE((*disk_.create(attempts))->write_some(times));
  };
  attempted("++");
  const auto without = start();
  const std::vector<std::uint64_t> fresh = states(*without);
  revive(*without);
  EXPECT_EQ(states(*without), fresh);
  EXPECT_FALSE(disk_.read(attempts, 64)) << "it came through";
  EXPECT_EQ(disk_.attempts, "++") << "not one more";
  attempted("+");
  const auto again = start();
  revive(*again);
  EXPECT_EQ(states(*again), before);
  EXPECT_EQ(disk_.attempts, "++") << "that it began is on the disk while it lives on";
}

TEST_F(RevivalTest, WithoutAJournalNothingHappens) {
  const auto runtime = start();
  const std::vector<std::uint64_t> fresh = states(*runtime);
  revive(*runtime);
  EXPECT_EQ(states(*runtime), fresh);
}

}  // namespace
}  // namespace liminal::app
