#include "io/files/replace.hpp"

#include <gtest/gtest.h>

#include "io/files/memory_file_system.hpp"

namespace liminal::files {
namespace {

const std::string kPath = "data/state";
const std::string kKept = "data/state.previous";

TEST(ReplaceFile, PutsTheNewInPlaceOfTheOld) {
  MemoryFileSystem system;
  ASSERT_TRUE(replace_file(system, kPath, "old"));
  ASSERT_TRUE(replace_file(system, kPath, "new"));
  EXPECT_EQ(system.read(kPath, 9).value(), "new");
  EXPECT_EQ(system.list("data")->size(), 1u);
}

TEST(ReplaceFile, KeepsTheVersionBeforeWhenToldTo) {
  MemoryFileSystem system;
  for (const char* version : {"first", "second", "third"})
    ASSERT_TRUE(replace_file(system, kPath, version, kKept));
  EXPECT_EQ(system.read(kPath, 9).value(), "third");
  EXPECT_EQ(system.read(kKept, 9).value(), "second");
}

TEST(ReplaceFile, OnAFullDiskLeavesTheOldAndNoDraft) {
  MemoryFileSystem system;
  ASSERT_TRUE(replace_file(system, kPath, "old"));
  system.faults.disk_bytes = 6;
  EXPECT_FALSE(replace_file(system, kPath, "far too long"));
  EXPECT_EQ(system.read(kPath, 9).value(), "old");
  EXPECT_EQ(system.list("data")->size(), 1u);
}

TEST(ReplaceFile, DoesNotTrustAFileWhoseSyncFailed) {
  MemoryFileSystem system;
  ASSERT_TRUE(replace_file(system, kPath, "old"));
  system.faults.fail_syncs = true;
  EXPECT_FALSE(replace_file(system, kPath, "new"));
  EXPECT_EQ(system.read(kPath, 9).value(), "old");
}

/// Pulls the plug at every operation of a replacement, many times each.
void expect_whole_after_any_crash(const std::string& keep_as) {
  constexpr std::uint64_t kOperationsMax = 20;
  for (std::uint64_t at = 1; at <= kOperationsMax; ++at) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      MemoryFileSystem system;
      ASSERT_TRUE(replace_file(system, kPath, "old version", keep_as));
      system.faults = {
          .write_bytes_max = 3, .fail_at = system.operations() + at, .fail_ever_after = true};
      const bool replaced = replace_file(system, kPath, "new version", keep_as).has_value();
      Random random(seed);
      system.crash(random);

      Result<std::string> left = system.read(kPath, 99);
      if (!left && !keep_as.empty()) left = system.read(keep_as, 99);
      ASSERT_TRUE(left) << at << " " << seed;
      EXPECT_TRUE(*left == "new version" || *left == "old version") << *left;
      if (replaced) {
        EXPECT_EQ(*left, "new version");
      }
    }
  }
}

TEST(ReplaceFile, LeavesOneWholeVersionWheneverThePowerFails) { expect_whole_after_any_crash({}); }

TEST(ReplaceFile, LeavesOneWholeVersionUnderOneOfItsNames) { expect_whole_after_any_crash(kKept); }

}  // namespace
}  // namespace liminal::files
