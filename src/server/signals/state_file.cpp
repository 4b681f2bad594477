#include "server/signals/state_file.hpp"

#include <algorithm>
#include <filesystem>

#include "io/files/replace.hpp"
#include "io/files/snapshot.hpp"

namespace liminal::signals {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{4} << 30;

std::string path_of(const std::string& folder, std::string_view file) {
  return (std::filesystem::path(folder) / file).string();
}

Result<EventTime> read_state(
    files::FileSystem& system,
    const std::string& path,
    std::span<const std::uint64_t> formats,
    const std::function<Result<void>(std::string_view, std::uint64_t)>& take) {
  const Result<std::string> bytes = system.read(path, kFileBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<files::Snapshot> snapshot = files::open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  const std::uint64_t format = snapshot->header.schema_hash;
  if (std::find(formats.begin(), formats.end(), format) == formats.end())
    return failure(ErrorCode::kUnsupported);
  if (auto taken = take(snapshot->payload, format); !taken) return tl::unexpected(taken.error());
  return EventTime{snapshot->header.engine_time.time_since_epoch()};
}

}  // namespace

Result<EventTime> load_state(files::FileSystem& system,
                             const std::string& folder,
                             std::string_view file,
                             std::uint64_t format,
                             const std::function<Result<void>(std::string_view)>& take) {
  return load_state(
      system, folder, file, std::span(&format, 1), [&take](std::string_view bytes, std::uint64_t) {
        return take(bytes);
      });
}

Result<EventTime> load_state(
    files::FileSystem& system,
    const std::string& folder,
    std::string_view file,
    std::span<const std::uint64_t> formats,
    const std::function<Result<void>(std::string_view, std::uint64_t)>& take) {
  const std::string path = path_of(folder, file);
  const Result<EventTime> read = read_state(system, path, formats, take);
  if (read || read.error().code == ErrorCode::kMissing || read.error().code == ErrorCode::kIo)
    return read;
  if (auto aside = files::set_aside(system, path); !aside)
    return failure(ErrorCode::kIo, aside.error().position);
  return read;
}

Result<void> write_state(files::FileSystem& system,
                         const std::string& folder,
                         std::string_view file,
                         std::uint64_t format,
                         EventTime now,
                         std::string payload) {
  files::SnapshotHeader header;
  header.shard = files::kCommons;
  header.engine_time = SteadyTime{now.time_since_epoch()};
  header.schema_hash = format;
  return files::replace_file(
      system, path_of(folder, file), files::seal_in_place(header, std::move(payload)));
}

}  // namespace liminal::signals
