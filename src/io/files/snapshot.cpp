#include "io/files/snapshot.hpp"

#include <utility>

#include "core/base/check.hpp"
#include "core/base/codec.hpp"
#include "core/base/hash.hpp"
#include "io/files/replace.hpp"

namespace liminal::files {
namespace {

constexpr std::string_view kMagic = "LIMINSNP";
constexpr std::size_t kChecksumBytes = 8;
/// A shard of a million users with 1 KiB each, and room.
constexpr std::size_t kSnapshotBytesMax = std::size_t{2} << 30;

std::string previous_path(const std::string& folder, ShardId shard) {
  return snapshot_path(folder, shard) + ".previous";
}

}  // namespace

std::string seal_snapshot(const SnapshotHeader& header, std::string_view payload) {
  std::string own;
  own.reserve(payload.size() + kSnapshotEnvelopeBytes);
  own = payload;
  return seal_in_place(header, std::move(own));
}

std::string seal_in_place(const SnapshotHeader& header, std::string payload) {
  LIMINAL_CHECK(index(header.shard) <= kShards);
  Writer out;
  for (const char letter : kMagic) out.put(letter);
  out.put(kSnapshotFormat);
  out.put(index(header.shard));
  out.put(nanoseconds(header.engine_time));
  out.put(header.input);
  out.put(header.schema_hash);
  out.put(static_cast<std::uint64_t>(payload.size()));
  payload.insert(0, out.bytes());
  Writer checksum;
  checksum.put(hash64(payload));
  payload += checksum.bytes();
  return payload;
}

Result<SnapshotHeader> read_snapshot_header(std::string_view head) {
  const bool mine = head.substr(0, kMagic.size()) == kMagic.substr(0, head.size());
  if (!mine) return failure(ErrorCode::kMalformed);
  if (head.size() < kSnapshotHeaderBytes) return failure(ErrorCode::kTruncated, head.size());
  Reader in(head.substr(kMagic.size()));
  if (in.get<std::uint32_t>() != kSnapshotFormat)
    return failure(ErrorCode::kUnsupported, kMagic.size());
  const auto shard = in.get<std::uint32_t>();
  SnapshotHeader header;
  header.engine_time = SteadyTime{Duration{in.get<Duration::rep>()}};
  in.get(header.input);
  in.get(header.schema_hash);
  if (shard > kShards) return failure(ErrorCode::kOutOfRange, kMagic.size() + sizeof shard);
  header.shard = ShardId{static_cast<std::uint8_t>(shard)};
  return header;
}

Result<Snapshot> open_snapshot(std::string_view bytes) {
  const Result<SnapshotHeader> header = read_snapshot_header(bytes);
  // A number that no shard has may also be damage: the checksum says which.
  if (!header && header.error().code != ErrorCode::kOutOfRange)
    return tl::unexpected(header.error());
  if (bytes.size() < kSnapshotHeaderBytes + kChecksumBytes)
    return failure(ErrorCode::kTruncated, bytes.size());
  constexpr std::size_t kLengthAt = kSnapshotHeaderBytes - sizeof(std::uint64_t);
  const auto payload_bytes = Reader(bytes.substr(kLengthAt)).get<std::uint64_t>();
  const std::uint64_t room = bytes.size() - kSnapshotHeaderBytes - kChecksumBytes;
  if (payload_bytes > room) return failure(ErrorCode::kTruncated, bytes.size());
  if (payload_bytes < room)
    return failure(ErrorCode::kMalformed, kSnapshotHeaderBytes + payload_bytes + kChecksumBytes);
  const std::string_view sealed = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (Reader(bytes.substr(sealed.size())).get<std::uint64_t>() != hash64(sealed))
    return failure(ErrorCode::kChecksum, sealed.size());
  if (!header) return tl::unexpected(header.error());
  return Snapshot{*header, sealed.substr(kSnapshotHeaderBytes)};
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
  Result<LoadedSnapshot> newest = read_snapshot(system, snapshot_path(folder, shard), shard);
  if (newest) return newest;
  Result<LoadedSnapshot> previous = read_snapshot(system, previous_path(folder, shard), shard);
  if (!previous) return newest.error().code == ErrorCode::kMissing ? previous : newest;
  previous->previous = true;
  return previous;
}

Result<LoadedSnapshot> read_snapshot(FileSystem& system, const std::string& path, ShardId shard) {
  Result<std::string> bytes = system.read(path, kSnapshotBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<Snapshot> snapshot = open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (snapshot->header.shard != shard) return failure(ErrorCode::kConflict);
  const SnapshotHeader header = snapshot->header;
  return LoadedSnapshot{.bytes = std::move(*bytes), .header = header, .previous = false};
}

std::string_view LoadedSnapshot::payload() const {
  return std::string_view(bytes).substr(kSnapshotHeaderBytes,
                                        bytes.size() - kSnapshotHeaderBytes - kChecksumBytes);
}

std::string snapshot_path(const std::string& folder, ShardId shard) {
  if (shard == kCommons) return folder + "/commons.snapshot";
  const std::uint32_t number = index(shard);
  const std::string digits = std::to_string(number);
  return folder + "/shard-" + (number < 10 ? "0" : "") + digits + ".snapshot";
}

}  // namespace liminal::files
