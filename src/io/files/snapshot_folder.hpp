#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"
#include "io/files/snapshot.hpp"

namespace liminal::files {

struct SnapshotFolderOptions {
  std::string folder;
  /// What older snapshots may take beside the newest and the one before it; beyond it the oldest
  /// go.
  std::uint64_t kept_bytes_max = 256U << 20;
};

/// A snapshot on disk, by its header alone.
struct StoredSnapshot {
  std::string path;
  std::uint64_t bytes = 0;
  SnapshotHeader header;
};

/// The snapshots of all shards in one folder: of each the newest, the one before it, and older ones
/// that are kept because a journal begins behind them (docs/formats/snapshot.md).
///
/// Guarantee: that of `replace_file` for each shard. Not thread-safe, and its calls block: for a
/// thread of its own. Others may read the folder meanwhile (`find_snapshots`).
class SnapshotFolder {
 public:
  /// Makes the folder if need be and looks what is there. `system` must outlive it.
  [[nodiscard]] static Result<SnapshotFolder> open(FileSystem& system,
                                                   SnapshotFolderOptions options);

  /// Replaces a shard's newest. With `keep_before` the one that it replaces is kept as an older
  /// one. What was saved outlives a loss of power after `sync` only.
  [[nodiscard]] Result<void> save(const SnapshotHeader& header,
                                  std::string_view payload,
                                  bool keep_before);
  [[nodiscard]] Result<void> sync();

  /// The newest that can be read, of those that are there; `kMissing` when there is none.
  [[nodiscard]] Result<LoadedSnapshot> load(ShardId shard) const;

  /// Removes what is kept and not needed to begin at `oldest` or later, and what is too much.
  void retain(SteadyTime oldest);

  [[nodiscard]] std::uint64_t kept_bytes() const;
  [[nodiscard]] std::size_t kept() const;
  /// Of the newest; none when there is none.
  [[nodiscard]] const std::optional<SnapshotHeader>& newest(ShardId shard) const {
    return newest_[index(shard)];
  }

 private:
  SnapshotFolder(FileSystem& system, SnapshotFolderOptions options)
      : system_(&system), options_(std::move(options)) {}
  void remove_kept(std::size_t shard, std::size_t which);

  FileSystem* system_;
  SnapshotFolderOptions options_;
  std::array<std::optional<SnapshotHeader>, kShards + 1> newest_;
  std::array<std::uint64_t, kShards + 1> newest_bytes_{};
  std::array<std::vector<StoredSnapshot>, kShards + 1> kept_;  ///< oldest first
};

/// What a folder has of a shard, the highest input first; of two with the same input one.
[[nodiscard]] Result<std::vector<StoredSnapshot>> find_snapshots(FileSystem& system,
                                                                 const std::string& folder,
                                                                 ShardId shard);

/// Reads and checks one. `kConflict` when it is no longer what its header said.
[[nodiscard]] Result<LoadedSnapshot> load_snapshot(FileSystem& system,
                                                   const StoredSnapshot& stored);

}  // namespace liminal::files
