#include "io/files/file_system.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "io/files/memory_file_system.hpp"

namespace liminal::files {
namespace {

/// A folder of the operating system that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "liminal-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What every file system does alike.
void expect_contract(FileSystem& system, const std::string& root) {
  const std::string folder = root + "/a/b";
  ASSERT_TRUE(system.create_folder(folder));
  ASSERT_TRUE(system.create_folder(folder));
  {
    const auto file = system.create(folder + "/one");
    ASSERT_TRUE(file);
    EXPECT_TRUE(write_all(**file, "hello"));
    EXPECT_TRUE((*file)->sync());
  }
  {
    const auto file = system.append_to(folder + "/one");
    ASSERT_TRUE(file);
    EXPECT_TRUE(write_all(**file, " world"));
  }
  EXPECT_EQ(system.read(folder + "/one", 11).value(), "hello world");
  EXPECT_EQ(system.read(folder + "/one", 10).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(system.read_head(folder + "/one", 4).value(), "hell");

  EXPECT_TRUE(system.truncate(folder + "/one", 3));
  ASSERT_TRUE(system.create(folder + "/two"));
  EXPECT_TRUE(system.rename(folder + "/one", folder + "/two"));
  EXPECT_TRUE(system.sync_folder(folder));
  const auto entries = system.list(folder);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().name, "two");
  EXPECT_EQ(entries->front().bytes, 3u);

  EXPECT_TRUE(system.remove(folder + "/two"));
  const Error missing{ErrorCode::kMissing, ENOENT};
  EXPECT_EQ(system.remove(folder + "/two").error(), missing);
  EXPECT_EQ(system.read(folder + "/two", 1).error(), missing);
  EXPECT_EQ(system.append_to(folder + "/two").error(), missing);
  EXPECT_EQ(system.rename(folder + "/two", folder + "/one").error(), missing);
}

TEST(PosixFileSystem, KeepsTheContract) {
  const TemporaryFolder folder;
  PosixFileSystem system;
  expect_contract(system, folder.path());
}

TEST(PosixFileSystem, SaysWhyItCannotList) {
  PosixFileSystem system;
  EXPECT_EQ(system.list("/nowhere/at/all").error(), (Error{ErrorCode::kMissing, ENOENT}));
}

TEST(MemoryFileSystem, KeepsTheContract) {
  MemoryFileSystem system;
  expect_contract(system, "root");
}

TEST(MemoryFileSystem, ACrashKeepsWhatWasSyncedAndAnyPartOfTheRest) {
  bool kept_all = false;
  bool kept_part = false;
  bool kept_zeros = false;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem system;
    const auto file = system.create("f/one");
    ASSERT_TRUE(write_all(**file, "synced"));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(system.sync_folder("f"));
    ASSERT_TRUE(write_all(**file, "more"));
    Random random(seed);
    system.crash(random);
    const std::string left = system.read("f/one", 100).value();
    ASSERT_EQ(left.substr(0, 6), "synced");
    kept_all |= left == "syncedmore";
    kept_part |= left == "syncedmo";
    kept_zeros |= left.find('\0') != std::string::npos;
  }
  EXPECT_TRUE(kept_all && kept_part && kept_zeros);
}

TEST(MemoryFileSystem, ACrashMayForgetANameThatWasNotSynced) {
  bool kept = false;
  bool forgotten = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryFileSystem system;
    ASSERT_TRUE(system.create("f/one"));
    Random random(seed);
    system.crash(random);
    (system.read("f/one", 100) ? kept : forgotten) = true;
  }
  EXPECT_TRUE(kept && forgotten);
}

TEST(MemoryFileSystem, AFullDiskTakesWhatFitsAndThenRefuses) {
  MemoryFileSystem system;
  system.faults.disk_bytes = 5;
  const auto file = system.create("f/one");
  EXPECT_EQ((*file)->write_some("hello world").value(), 5u);
  EXPECT_EQ((*file)->write_some("x").error(), (Error{ErrorCode::kIo, ENOSPC}));
}

TEST(FolderOf, IsWhatHoldsTheFile) {
  EXPECT_EQ(folder_of("/a/b/c"), "/a/b");
  EXPECT_EQ(folder_of("/c"), "/");
  EXPECT_EQ(folder_of("c"), ".");
}

}  // namespace
}  // namespace liminal::files
