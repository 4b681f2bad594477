#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.hpp"
#include "io/files/file_system.hpp"

namespace liminal::files {

/// A file system in memory that fails as a bad disk does, for tests. One flat folder tree.
///
/// Pulling the plug (`crash`) keeps what was synced. Of a file's unsynced end it keeps any first
/// part, whose last bytes may read as zeros; of the names changed since the last `sync_folder`, the
/// changes up to any moment, in their order (as journalling file systems do).
///
/// Not thread-safe.
class MemoryFileSystem : public FileSystem {
 public:
  /// What goes wrong; change it at any time.
  struct Faults {
    std::uint64_t disk_bytes = std::numeric_limits<std::uint64_t>::max();   ///< ENOSPC beyond
    std::size_t write_bytes_max = std::numeric_limits<std::size_t>::max();  ///< short writes
    /// The changing operation with this number, counted from 1, fails with EIO; 0: none does.
    std::uint64_t fail_at = 0;
    bool fail_ever_after = false;  ///< and so do all after it
    bool fail_reads = false;       ///< of whole files: EIO
    bool fail_syncs = false;       ///< of files: EIO, and what was not synced may be lost
  };
  Faults faults;

  /// Changing operations so far: create, append_to, write, sync, rename, remove, …
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

  /// Loses what a loss of power loses; `random` decides where there is a choice. Heals all faults.
  void crash(Random& random);

  /// For tests that spoil a file by hand.
  [[nodiscard]] std::string& contents(const std::string& path) { return names_.at(path)->bytes; }

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

 private:
  struct Inode {
    std::string bytes, synced;
    std::chrono::nanoseconds modified{0};  ///< counts operations
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  class File;

  /// Counts a changing operation and lets it fail when it is its turn.
  [[nodiscard]] Result<void> operate();
  void rename_happened() { since_sync_.push_back(names_); }
  [[nodiscard]] std::uint64_t used_bytes() const;

  Names names_;
  std::vector<Names> since_sync_{Names{}};  ///< the names as synced, then after each change
  std::uint64_t operations_ = 0;
};

}  // namespace liminal::files
