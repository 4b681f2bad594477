#include "io/files/snapshot.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "io/files/memory_file_system.hpp"

namespace liminal::files {
namespace {

SnapshotHeader header(std::uint8_t shard = 7, std::uint64_t input = 12) {
  return {.shard = ShardId{shard},
          .engine_time = SteadyTime{std::chrono::hours{1}},
          .input = input,
          .schema_hash = 0x1122334455667788U};
}

TEST(Snapshot, HasTheDocumentedForm) {
  const std::string bytes = seal_snapshot(header(), "payload");
  EXPECT_EQ(bytes.size(), 48u + 7u + 8u);
  EXPECT_EQ(bytes.substr(0, 16), std::string("LIMINSNP\x01\0\0\0\x07\0\0\0", 16));
  EXPECT_EQ(bytes.substr(32, 8), std::string("\x88\x77\x66\x55\x44\x33\x22\x11", 8));
  EXPECT_EQ(bytes.substr(48, 7), "payload");
}

RC_GTEST_PROP(Snapshot, GivesBackWhatWasSealed, (const std::string& payload, std::uint64_t input)) {
  const std::string bytes = seal_snapshot(header(64, input), payload);
  const Result<Snapshot> opened = open_snapshot(bytes);
  RC_ASSERT(opened.has_value());
  RC_ASSERT(opened->header == header(64, input));
  RC_ASSERT(opened->payload == payload);
}

RC_GTEST_PROP(Snapshot, CutLengthenedOrFlippedIsRefused, (const std::string& payload)) {
  const std::string bytes = seal_snapshot(header(), payload);
  RC_ASSERT(!open_snapshot(bytes.substr(0, *rc::gen::inRange<std::size_t>(0, bytes.size()))));
  RC_ASSERT(!open_snapshot(bytes + "x"));
  std::string flipped = bytes;
  flipped[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^=
      static_cast<char>(1U << *rc::gen::inRange(0U, 8U));
  RC_ASSERT(!open_snapshot(flipped));
}

TEST(Snapshot, SaysWhatIsWrong) {
  std::string bytes = seal_snapshot(header(), "payload");
  EXPECT_EQ(open_snapshot("something else").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(open_snapshot(bytes.substr(0, 20)).error().code, ErrorCode::kTruncated);
  bytes[50] ^= 1;
  EXPECT_EQ(open_snapshot(bytes).error().code, ErrorCode::kChecksum);
  bytes[8] = 9;
  EXPECT_EQ(open_snapshot(bytes).error().code, ErrorCode::kUnsupported);
}

TEST(SnapshotFiles, OfShardsAndCommonsAreKeptApart) {
  MemoryFileSystem system;
  ASSERT_TRUE(save_snapshot(system, "d", header(7), "seven"));
  ASSERT_TRUE(save_snapshot(system, "d", header(64), "commons"));
  EXPECT_EQ(load_snapshot(system, "d", ShardId{7})->payload(), "seven");
  EXPECT_EQ(load_snapshot(system, "d", kCommons)->payload(), "commons");
  EXPECT_EQ(load_snapshot(system, "d", ShardId{8}).error().code, ErrorCode::kMissing);
  EXPECT_EQ(snapshot_path("d", ShardId{7}), "d/shard-07.snapshot");
  EXPECT_EQ(snapshot_path("d", kCommons), "d/commons.snapshot");
}

TEST(SnapshotFiles, ADamagedOneGivesTheOneBefore) {
  MemoryFileSystem system;
  ASSERT_TRUE(save_snapshot(system, "d", header(7, 1), "first"));
  ASSERT_TRUE(save_snapshot(system, "d", header(7, 2), "second"));
  EXPECT_FALSE(load_snapshot(system, "d", ShardId{7})->previous);
  system.contents(snapshot_path("d", ShardId{7}))[50] ^= 1;

  const auto loaded = load_snapshot(system, "d", ShardId{7});
  EXPECT_EQ(loaded->payload(), "first");
  EXPECT_EQ(loaded->header.input, 1u);
  EXPECT_TRUE(loaded->previous);

  system.contents(snapshot_path("d", ShardId{7}) + ".previous")[50] ^= 1;
  EXPECT_EQ(load_snapshot(system, "d", ShardId{7}).error().code, ErrorCode::kChecksum);
}

TEST(SnapshotFiles, OfAnotherShardUnderThisNameAreRefused) {
  MemoryFileSystem system;
  ASSERT_TRUE(save_snapshot(system, "d", header(7), "seven"));
  ASSERT_TRUE(system.rename(snapshot_path("d", ShardId{7}), snapshot_path("d", ShardId{8})));
  EXPECT_EQ(load_snapshot(system, "d", ShardId{8}).error().code, ErrorCode::kConflict);
}

TEST(SnapshotFiles, SurviveALossOfPowerAtAnyMoment) {
  for (std::uint64_t at = 1; at < 20; ++at) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      MemoryFileSystem system;
      ASSERT_TRUE(save_snapshot(system, "d", header(7, 1), "first"));
      ASSERT_TRUE(save_snapshot(system, "d", header(7, 2), "second"));
      system.faults = {.fail_at = system.operations() + at, .fail_ever_after = true};
      const bool saved = save_snapshot(system, "d", header(7, 3), "third").has_value();
      Random random(seed);
      system.crash(random);
      const auto loaded = load_snapshot(system, "d", ShardId{7});
      ASSERT_TRUE(loaded) << at << " " << seed;
      EXPECT_GE(loaded->header.input, saved ? 3u : 2u);
    }
  }
}

}  // namespace
}  // namespace liminal::files
