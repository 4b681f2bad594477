#include "io/files/snapshot_folder.hpp"

#include <gtest/gtest.h>

#include "io/files/memory_file_system.hpp"

namespace liminal::files {
namespace {

constexpr ShardId kShard{7};

SteadyTime at(int minutes) {
  return SteadyTime{std::chrono::hours{1000} + std::chrono::minutes{minutes}};
}

SnapshotHeader header(std::uint64_t input, int minutes) {
  return {.shard = kShard, .engine_time = at(minutes), .input = input, .schema_hash = 1};
}

SnapshotFolder open(MemoryFileSystem& system, std::uint64_t kept_bytes_max = 1U << 20) {
  return std::move(*SnapshotFolder::open(
      system, {.folder = "data/snapshots", .kept_bytes_max = kept_bytes_max}));
}

std::vector<std::uint64_t> inputs(MemoryFileSystem& system) {
  std::vector<std::uint64_t> found;
  const auto stored = find_snapshots(system, "data/snapshots", kShard);
  for (const StoredSnapshot& each : stored.value()) found.push_back(each.header.input);
  return found;
}

TEST(SnapshotFolder, HasTheNewestTheOneBeforeAndWhatIsKept) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system);
  EXPECT_EQ(folder.load(kShard).error().code, ErrorCode::kMissing);
  ASSERT_TRUE(folder.save(header(10, 0), "ten", false));
  ASSERT_TRUE(folder.save(header(20, 10), "twenty", true));
  ASSERT_TRUE(folder.save(header(30, 20), "thirty", false));
  ASSERT_TRUE(folder.save(header(40, 30), "forty", false));
  ASSERT_TRUE(folder.sync());
  EXPECT_EQ(inputs(system), (std::vector<std::uint64_t>{40, 30, 10}));
  EXPECT_EQ(folder.load(kShard)->payload(), "forty");
  EXPECT_EQ(folder.newest(kShard)->input, 40u);
  EXPECT_EQ(folder.kept(), 1u);

  SnapshotFolder again = open(system);
  EXPECT_EQ(again.newest(kShard)->input, 40u);
  EXPECT_EQ(again.kept(), 1u);
  EXPECT_EQ(again.kept_bytes(), folder.kept_bytes());
}

TEST(SnapshotFolder, KeepsOneBehindTheJournalsBegin) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system);
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE(folder.save(header(static_cast<std::uint64_t>(10 * i + 10), 10 * i), "x", true));
  folder.retain(at(25));  // to begin there takes the one of minute 20
  EXPECT_EQ(inputs(system), (std::vector<std::uint64_t>{60, 50, 40, 30}));
  folder.retain(at(1000));
  EXPECT_EQ(inputs(system), (std::vector<std::uint64_t>{60}));
}

TEST(SnapshotFolder, KeepsNoMoreThanItMay) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system, 3'000);
  const std::string payload(1'000, 'x');
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE(
        folder.save(header(static_cast<std::uint64_t>(10 * i + 10), 10 * i), payload, true));
  folder.retain(at(0));
  EXPECT_EQ(inputs(system), (std::vector<std::uint64_t>{60, 50, 40}));
}

TEST(SnapshotFolder, WithTheNewestTwoDamagedGivesAnOlderOne) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system);
  ASSERT_TRUE(folder.save(header(10, 0), "ten", false));
  ASSERT_TRUE(folder.save(header(20, 10), "twenty", true));
  ASSERT_TRUE(folder.save(header(30, 20), "thirty", false));
  system.contents(snapshot_path("data/snapshots", kShard))[50] ^= 1;
  system.contents(snapshot_path("data/snapshots", kShard) + ".previous")[50] ^= 1;
  const auto loaded = folder.load(kShard);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->payload(), "ten");
  EXPECT_TRUE(loaded->previous);
}

TEST(SnapshotFolder, SaysWhenAFileChangedUnderItsReader) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system);
  ASSERT_TRUE(folder.save(header(10, 0), "ten", false));
  const auto found = *find_snapshots(system, "data/snapshots", kShard);
  ASSERT_TRUE(folder.save(header(20, 10), "twenty", false));
  EXPECT_EQ(load_snapshot(system, found.front()).error().code, ErrorCode::kConflict);
}

TEST(SnapshotFolder, OnAFullDiskKeepsWhatItHas) {
  MemoryFileSystem system;
  SnapshotFolder folder = open(system);
  ASSERT_TRUE(folder.save(header(10, 0), "ten", false));
  system.faults.disk_bytes = 100;
  EXPECT_FALSE(folder.save(header(20, 10), std::string(500, 'x'), true));
  EXPECT_EQ(folder.load(kShard)->payload(), "ten");
  EXPECT_EQ(folder.newest(kShard)->input, 10u);
  EXPECT_EQ(folder.kept(), 0u);
}

}  // namespace
}  // namespace liminal::files
