#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::files {

/// A file that grows at its end. Destroying it closes it and syncs nothing.
class WritableFile {
 public:
  WritableFile() = default;
  WritableFile(const WritableFile&) = delete;
  WritableFile& operator=(const WritableFile&) = delete;
  virtual ~WritableFile() = default;

  /// Appends a first part of `bytes` (not empty) and says how much: at least one byte.
  [[nodiscard]] virtual Result<std::size_t> write_some(std::string_view bytes) = 0;

  /// Makes what was written survive a loss of power. After a failure nobody knows what of it would
  /// (the kernel may have dropped the pages and say "done" next time): write it again, elsewhere.
  [[nodiscard]] virtual Result<void> sync() = 0;
};

struct FileEntry {
  std::string name;  ///< inside its folder
  std::uint64_t bytes = 0;
  /// When its contents changed last, counted from some moment: it orders files of one system.
  std::chrono::nanoseconds modified{0};
};

/// What snapshots and journals need of a file system, so that tests can fill the disk, tear a write
/// and pull the plug (`MemoryFileSystem`). A failure is `kIo`, `kMissing` or `kTooLarge` with errno
/// as its position. Calls block. Thread-safe as far as the calls concern different files.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  /// A new file, or the old one emptied; readable by its owner alone.
  [[nodiscard]] virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<WritableFile>> append_to(
      const std::string& path) = 0;

  /// Up to `bytes_max` bytes from the beginning.
  [[nodiscard]] virtual Result<std::string> read_head(const std::string& path,
                                                      std::size_t bytes_max) = 0;
  /// All of a file; `kTooLarge` when that is more than `bytes_max`.
  [[nodiscard]] virtual Result<std::string> read(const std::string& path,
                                                 std::size_t bytes_max) = 0;
  /// The regular files of a folder, sorted by name.
  [[nodiscard]] virtual Result<std::vector<FileEntry>> list(const std::string& folder) = 0;

  /// Replaces `to` when it exists, at once or not at all.
  [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void> truncate(const std::string& path, std::uint64_t bytes) = 0;
  /// With its parents; no error when it is there already.
  [[nodiscard]] virtual Result<void> create_folder(const std::string& path) = 0;
  /// Makes names that were created, renamed or removed in a folder survive a loss of power.
  [[nodiscard]] virtual Result<void> sync_folder(const std::string& folder) = 0;
};

/// The operating system's. Stateless.
class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override;
  Result<std::string> read_head(const std::string& path, std::size_t bytes_max) override;
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override;
  Result<std::vector<FileEntry>> list(const std::string& folder) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> truncate(const std::string& path, std::uint64_t bytes) override;
  Result<void> create_folder(const std::string& path) override;
  Result<void> sync_folder(const std::string& folder) override;
};

/// Writes all of `bytes`. On a failure a part may have been written.
[[nodiscard]] Result<void> write_all(WritableFile& file, std::string_view bytes);

/// "/a/b" of "/a/b/c"; "." of a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);

}  // namespace liminal::files
