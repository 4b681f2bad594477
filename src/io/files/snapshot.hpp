#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"

namespace liminal::files {

/// Where the commons (what spans users) keep their snapshot: behind the last shard.
inline constexpr ShardId kCommons{static_cast<std::uint8_t>(kShards)};

/// What a snapshot is of (docs/formats/snapshot.md).
struct SnapshotHeader {
  ShardId shard{};              ///< or `kCommons`
  SteadyTime engine_time;       ///< of the last input it holds
  std::uint64_t input = 0;      ///< number of that input
  std::uint64_t schema_hash{};  ///< `traffic::schema_hash()`: features of other software do not fit
  friend bool operator==(const SnapshotHeader&, const SnapshotHeader&) = default;
};

struct Snapshot {
  SnapshotHeader header;
  std::string_view payload;  ///< what `engine::Shard::save` wrote; points into the bytes read
};

inline constexpr std::uint32_t kSnapshotFormat = 1;
inline constexpr std::size_t kSnapshotHeaderBytes = 48;
inline constexpr std::size_t kSnapshotEnvelopeBytes = kSnapshotHeaderBytes + sizeof(std::uint64_t);

/// Puts a payload into its envelope.
[[nodiscard]] std::string seal_snapshot(const SnapshotHeader& header, std::string_view payload);
/// The same of a large one: what has room for `kSnapshotEnvelopeBytes` more is not copied.
[[nodiscard]] std::string seal_in_place(const SnapshotHeader& header, std::string payload);

/// Checks an envelope: `kTruncated`, `kMalformed` (not a snapshot, or bytes behind its end),
/// `kUnsupported` (another version), `kOutOfRange` (no such shard) or `kChecksum`.
[[nodiscard]] Result<Snapshot> open_snapshot(std::string_view bytes);

/// The header alone, of a snapshot's first `kSnapshotHeaderBytes`: whether the rest is whole, only
/// `open_snapshot` says. Errors as there, but `kChecksum`.
[[nodiscard]] Result<SnapshotHeader> read_snapshot_header(std::string_view head);

/// Replaces a shard's snapshot in `folder` and keeps the one before (replace.hpp has the
/// guarantee). Blocks: for a thread of its own.
[[nodiscard]] Result<void> save_snapshot(FileSystem& system,
                                         const std::string& folder,
                                         const SnapshotHeader& header,
                                         std::string_view payload);

struct LoadedSnapshot {
  std::string bytes;
  SnapshotHeader header;
  bool previous = false;  ///< the newest one was missing or damaged: say so, and replay from here
  [[nodiscard]] std::string_view payload() const;
};

/// Reads a shard's newest readable snapshot. `kMissing` when there was never one; the newest one's
/// error when none is readable.
[[nodiscard]] Result<LoadedSnapshot> load_snapshot(FileSystem& system,
                                                   const std::string& folder,
                                                   ShardId shard);

/// Reads one file. `kConflict` when it is of another shard.
[[nodiscard]] Result<LoadedSnapshot> read_snapshot(FileSystem& system,
                                                   const std::string& path,
                                                   ShardId shard);

/// "folder/shard-07.snapshot", "folder/commons.snapshot".
[[nodiscard]] std::string snapshot_path(const std::string& folder, ShardId shard);

}  // namespace liminal::files
