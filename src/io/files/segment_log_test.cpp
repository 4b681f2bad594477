#include "io/files/segment_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

#include "io/files/memory_file_system.hpp"

namespace liminal::files {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

SteadyTime at(Duration since_start) { return SteadyTime{std::chrono::hours{100} + since_start}; }

SegmentLogOptions small() {
  SegmentLogOptions options;
  options.folder = "data/journal";
  options.segment_bytes_max = 200;
  options.total_bytes_max = 2'000;
  options.buffer_bytes_max = 64;
  return options;
}

SegmentLog open(FileSystem& system, const SegmentLogOptions& options, SteadyTime now = at({})) {
  return std::move(*SegmentLog::open(system, options, now));
}

std::map<std::uint64_t, std::string> read(FileSystem& system, std::uint64_t from = 0) {
  std::map<std::uint64_t, std::string> records;
  const auto summary = read_log(
      system, "data/journal", "journal", from, [&](std::uint64_t number, std::string_view payload) {
        EXPECT_TRUE(records.emplace(number, payload).second);
        return true;
      });
  EXPECT_TRUE(summary);
  EXPECT_EQ(summary->records, records.size());
  return records;
}

std::string payload_of(std::uint64_t number) {
  return "record " + std::to_string(number) + std::string(number % 17, '.');
}

TEST(SegmentLogOptions, NamesAllProblems) {
  SegmentLogOptions options = small();
  EXPECT_EQ(validate(options).size(), 1u);  // 200 bytes are for tests alone
  options.folder = "";
  options.name = "a/b";
  options.total_bytes_max = 0;
  options.age_max = {};
  EXPECT_EQ(validate(options).size(), 5u);
  options = {};
  options.folder = "data";
  EXPECT_TRUE(validate(options).empty());
}

TEST(SegmentLog, GivesBackWhatWasAppendedOverSegmentsAndRestarts) {
  MemoryFileSystem system;
  for (int start = 0; start < 3; ++start) {
    SegmentLog log = open(system, small());
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t next = log.next_number();
      EXPECT_EQ(log.append(payload_of(next), at({})).value(), next);
    }
    EXPECT_TRUE(log.sync(at({})));
  }
  const auto records = read(system);
  EXPECT_EQ(records.size(), 60u);
  for (const auto& [number, payload] : records) EXPECT_EQ(payload, payload_of(number));
  EXPECT_EQ(read(system, 57).size(), 3u);
}

TEST(SegmentLog, AReaderStopsWhenToldTo) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  for (int i = 0; i < 50; ++i) (void)log.append("x", at({}));
  ASSERT_TRUE(log.flush(at({})));
  const auto summary = read_log(
      system, "data/journal", "journal", 7, [](std::uint64_t number, auto) { return number < 9; });
  EXPECT_EQ(summary->records, 3u);
  EXPECT_EQ(summary->next_number, 10u);
  EXPECT_TRUE(summary->stopped);
}

TEST(SegmentLog, SaysFromWhereOnAReadingSeesAllSinceATime) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  constexpr std::uint64_t kRecords = 40;
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    (void)log.append(payload_of(i), at(seconds{i}));
    EXPECT_TRUE(log.flush(at(seconds{i})));
  }
  ASSERT_GT(log.segments(), 3u);
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    const auto from = first_number_since(system, "data/journal", "journal", at(seconds{i}));
    ASSERT_TRUE(from);
    EXPECT_LE(*from, i);
    EXPECT_GE(*from, last);
    last = *from;
  }
  EXPECT_GT(last, kRecords - 10) << "it does not begin at the beginning";
}

TEST(SegmentLog, RemovesTheOldestBeyondItsSize) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  for (std::uint64_t i = 0; i < 1'000; ++i) (void)log.append(payload_of(i), at({}));
  ASSERT_TRUE(log.sync(at({})));
  EXPECT_LE(log.bytes(), 2'000u);
  const auto records = read(system);
  EXPECT_EQ(records.rbegin()->first, 999u);
  EXPECT_EQ(records.begin()->first, log.first_number());
  EXPECT_GT(records.size(), 30u);
  EXPECT_EQ(system.list("data/journal")->size(), log.segments());
}

TEST(SegmentLog, RemovesWhatIsOlderThanItsAgeAndNothingYounger) {
  MemoryFileSystem system;
  SegmentLogOptions options = small();
  options.total_bytes_max = 1 << 20;
  SegmentLog log = open(system, options);
  std::map<std::uint64_t, SteadyTime> times;
  for (int second = 0; second < 7'200; second += 30) {
    const SteadyTime now = at(seconds{second});
    times[log.append("some record", now).value()] = now;
    ASSERT_TRUE(log.sync(now));
  }
  const SteadyTime end = at(seconds{7'170});
  const auto records = read(system);
  for (const auto& [number, time] : times) {
    if (time > end - options.age_max) {
      EXPECT_EQ(records.count(number), 1u);
    }
    // A segment goes as a whole: here it holds less than ten records.
    if (time < end - options.age_max - minutes{10}) {
      EXPECT_EQ(records.count(number), 0u);
    }
  }
}

TEST(SegmentLog, RefusesARecordThatIsTooLargeAndGoesOn) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  EXPECT_EQ(log.append(std::string(kRecordBytesMax + 1, 'x'), at({})).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(log.append("fits", at({})).value(), 0u);
}

TEST(SegmentLog, CutsATornTailAndGoesOnBehindIt) {
  MemoryFileSystem system;
  std::string path;
  {
    SegmentLog log = open(system, small());
    for (std::uint64_t i = 0; i < 3; ++i) (void)log.append(payload_of(i), at({}));
    ASSERT_TRUE(log.sync(at({})));
    path = "data/journal/" + system.list("data/journal")->front().name;
    system.contents(path) += "half a rec";
  }
  SegmentLog log = open(system, small());
  EXPECT_EQ(log.counters().torn_bytes, 10u);
  EXPECT_EQ(log.append(payload_of(3), at({})).value(), 3u);
  ASSERT_TRUE(log.sync(at({})));
  EXPECT_EQ(read(system).size(), 4u);
  EXPECT_EQ(log.segments(), 1u);
}

TEST(SegmentLog, SkipsADamagedMiddleAndCountsWhatIsMissing) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  for (std::uint64_t i = 0; i < 50; ++i) (void)log.append(payload_of(i), at({}));
  ASSERT_TRUE(log.sync(at({})));
  const auto files = system.list("data/journal");
  ASSERT_GT(files->size(), 3u);
  system.contents("data/journal/" + (*files)[1].name)[kSegmentHeaderBytes + 10] ^= 1;

  std::uint64_t seen = 0;
  const auto summary = read_log(system, "data/journal", "journal", 0, [&](auto, auto) {
    ++seen;
    return true;
  });

  EXPECT_GT(summary->missing, 0u);
  EXPECT_EQ(seen + summary->missing, 50u);
}

TEST(SegmentLog, RemovesAFileThatNobodyCanRead) {
  MemoryFileSystem system;
  (void)system.create("data/journal/journal-0000000000000007.log");
  (void)system.create("data/journal/notes.txt");
  SegmentLog log = open(system, small());
  EXPECT_EQ(log.counters().removed_segments, 1u);
  EXPECT_EQ(log.next_number(), 7u);
  EXPECT_EQ(system.list("data/journal")->size(), 1u);
}

TEST(SegmentLog, OnAFullDiskDropsAndCountsAndGoesOnWhenThereIsRoom) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  for (int i = 0; i < 5; ++i) (void)log.append("before", at({}));
  ASSERT_TRUE(log.sync(at({})));
  system.faults.disk_bytes = 250;
  for (int i = 0; i < 100; ++i) (void)log.append("while full", at({}));
  EXPECT_FALSE(log.sync(at({})));
  EXPECT_LE(system.list("data/journal")->size(), 3u);
  system.faults = {};
  const std::uint64_t after = log.append("after", at({})).value();
  ASSERT_TRUE(log.sync(at({})));

  const auto records = read(system);
  EXPECT_EQ(records.at(0), "before");
  EXPECT_EQ(records.at(after), "after");
  EXPECT_EQ(log.counters().dropped_records + records.size(), 106u);
}

TEST(SegmentLog, AFailedSyncIsToldAndTheNextRecordsGoElsewhere) {
  MemoryFileSystem system;
  SegmentLog log = open(system, small());
  (void)log.append("one", at({}));
  system.faults.fail_syncs = true;
  EXPECT_FALSE(log.sync(at({})));
  system.faults.fail_syncs = false;
  (void)log.append("two", at({}));
  EXPECT_TRUE(log.sync(at({})));
  EXPECT_EQ(log.segments(), 2u);
  EXPECT_EQ(log.counters().sync_failures, 1u);
}

TEST(SegmentLog, FailsToOpenWhenTheFolderCannotBeRead) {
  PosixFileSystem system;
  SegmentLogOptions options = small();
  options.folder = "/proc/nowhere";
  EXPECT_FALSE(SegmentLog::open(system, options, at({})));
}

/// The main guarantee, under random operations, faults and losses of power.
RC_GTEST_PROP(SegmentLog, WhatSyncConfirmedSurvivesAndNothingElseIsMadeUp, (std::uint64_t seed)) {
  Random random(seed);
  MemoryFileSystem system;
  SegmentLogOptions options = small();
  options.total_bytes_max = 1 << 20;
  std::map<std::uint64_t, std::string> appended;
  std::map<std::uint64_t, std::string> confirmed;
  for (int life = 0; life < 5; ++life) {
    SegmentLog log = open(system, options);
    // After a crash numbers that were not confirmed are given again.
    appended.erase(appended.lower_bound(log.next_number()), appended.end());
    system.faults.write_bytes_max = 1 + random.below(100);
    if (random.chance(.7)) {
      system.faults.fail_at = system.operations() + 1 + random.below(60);
      system.faults.fail_ever_after = random.chance(.5);
    }
    std::map<std::uint64_t, std::string> since_sync;
    for (std::uint64_t i = random.below(60); i > 0; --i) {
      const std::uint64_t number = log.next_number();
      const std::string payload = std::to_string(random.below(1'000)) + payload_of(number);
      appended[number] = payload;
      if (log.append(payload, at({}))) since_sync[number] = payload;
      if (random.chance(.2)) (void)log.flush(at({}));
      if (!random.chance(.2)) continue;
      if (log.sync(at({}))) confirmed.insert(since_sync.begin(), since_sync.end());
      since_sync.clear();
    }
    system.crash(random);
    const auto left = read(system);
    for (const auto& [number, payload] : confirmed) {
      RC_ASSERT(left.count(number) == 1u);
      RC_ASSERT(left.at(number) == payload);
    }
    for (const auto& [number, payload] : left) {
      RC_ASSERT(appended.count(number) == 1u);
      RC_ASSERT(appended.at(number) == payload);
    }
  }
}

}  // namespace
}  // namespace liminal::files
