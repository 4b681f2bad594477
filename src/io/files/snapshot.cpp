#include "io/files/snapshot.hpp"

#include <utility>

#include "core/base/check.hpp"
#include "core/base/codec.hpp"
#include "core/base/hash.hpp"
#include "io/files/replace.hpp"

namespace liminal::files {
namespace {

constexpr std::string_view kMagic = "LIMINSNP";
constexpr std::size_t kHeaderBytes = 48;
constexpr std::size_t kChecksumBytes = 8;
/// A shard of a million users with 1 KiB each, and room.
constexpr std::size_t kSnapshotBytesMax = std::size_t{2} << 30;

std::string previous_path(const std::string& folder, ShardId shard) {
  return snapshot_path(folder, shard) + ".previous";
}

Result<LoadedSnapshot> load(FileSystem& system, const std::string& path, ShardId shard) {
  Result<std::string> bytes = system.read(path, kSnapshotBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<Snapshot> snapshot = open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (snapshot->header.shard != shard) return failure(ErrorCode::kConflict);
  const SnapshotHeader header = snapshot->header;
  return LoadedSnapshot{.bytes = std::move(*bytes), .header = header, .previous = false};
}

}  // namespace

std::string seal_snapshot(const SnapshotHeader& header, std::string_view payload) {
  LIMINAL_CHECK(index(header.shard) <= kShards);
  Writer out;
  for (const char letter : kMagic) out.put(letter);
  out.put(kSnapshotFormat);
  out.put(index(header.shard));
  out.put(nanoseconds(header.engine_time));
  out.put(header.input);
  out.put(header.schema_hash);
  out.put(static_cast<std::uint64_t>(payload.size()));
  std::string bytes = out.take();
  bytes.reserve(bytes.size() + payload.size() + kChecksumBytes);
  bytes += payload;
  Writer checksum;
  checksum.put(hash64(bytes));
  return bytes += checksum.bytes();
}

Result<Snapshot> open_snapshot(std::string_view bytes) {
  const bool mine = bytes.substr(0, kMagic.size()) == kMagic.substr(0, bytes.size());
  if (!mine) return failure(ErrorCode::kMalformed);
  if (bytes.size() < kHeaderBytes + kChecksumBytes)
    return failure(ErrorCode::kTruncated, bytes.size());
  Reader in(bytes.substr(kMagic.size()));
  if (in.get<std::uint32_t>() != kSnapshotFormat)
    return failure(ErrorCode::kUnsupported, kMagic.size());
  const auto shard = in.get<std::uint32_t>();
  Snapshot snapshot;
  snapshot.header.engine_time = SteadyTime{Duration{in.get<Duration::rep>()}};
  in.get(snapshot.header.input);
  in.get(snapshot.header.schema_hash);
  const auto payload_bytes = in.get<std::uint64_t>();
  const std::uint64_t room = bytes.size() - kHeaderBytes - kChecksumBytes;
  if (payload_bytes > room) return failure(ErrorCode::kTruncated, bytes.size());
  if (payload_bytes < room)
    return failure(ErrorCode::kMalformed, kHeaderBytes + payload_bytes + kChecksumBytes);
  const std::string_view sealed = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (Reader(bytes.substr(sealed.size())).get<std::uint64_t>() != hash64(sealed))
    return failure(ErrorCode::kChecksum, sealed.size());
  if (shard > kShards) return failure(ErrorCode::kOutOfRange, kMagic.size() + sizeof shard);
  snapshot.header.shard = ShardId{static_cast<std::uint8_t>(shard)};
  snapshot.payload = sealed.substr(kHeaderBytes);
  return snapshot;
}

Result<void> save_snapshot(FileSystem& system,
                           const std::string& folder,
                           const SnapshotHeader& header,
                           std::string_view payload) {
  return replace_file(system,
                      snapshot_path(folder, header.shard),
                      seal_snapshot(header, payload),
                      previous_path(folder, header.shard));
}

Result<LoadedSnapshot> load_snapshot(FileSystem& system, const std::string& folder, ShardId shard) {
  Result<LoadedSnapshot> newest = load(system, snapshot_path(folder, shard), shard);
  if (newest) return newest;
  Result<LoadedSnapshot> previous = load(system, previous_path(folder, shard), shard);
  if (!previous) return newest.error().code == ErrorCode::kMissing ? previous : newest;
  previous->previous = true;
  return previous;
}

std::string_view LoadedSnapshot::payload() const {
  return std::string_view(bytes).substr(kHeaderBytes, bytes.size() - kHeaderBytes - kChecksumBytes);
}

std::string snapshot_path(const std::string& folder, ShardId shard) {
  if (shard == kCommons) return folder + "/commons.snapshot";
  const std::uint32_t number = index(shard);
  const std::string digits = std::to_string(number);
  return folder + "/shard-" + (number < 10 ? "0" : "") + digits + ".snapshot";
}

}  // namespace liminal::files
