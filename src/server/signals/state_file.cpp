#include "server/signals/state_file.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "io/files/replace.hpp"
#include "io/files/snapshot.hpp"

namespace liminal::signals {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{4} << 30;

}  // namespace

StateFile::StateFile(files::FileSystem& system,
                     std::string_view folder,
                     std::string_view file,
                     std::uint64_t format,
                     std::vector<std::uint64_t> before)
    : system_(system),
      path_((std::filesystem::path(folder) / file).string()),
      format_(format),
      before_(std::move(before)) {}

Result<EventTime> StateFile::load(const Take& take) {
  Result<EventTime> loaded = read(take);
  if (loaded || loaded.error().code == ErrorCode::kMissing) return loaded;
  if (loaded.error().code != ErrorCode::kIo) {
    const auto aside = files::set_aside(system_, path_);
    if (aside) return loaded;
    loaded = failure(ErrorCode::kIo, aside.error().position);
  }
  left_alone_ = true;
  return loaded;
}

Result<EventTime> StateFile::read(const Take& take) const {
  const Result<std::string> bytes = system_.read(path_, kFileBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<files::Snapshot> snapshot = files::open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  const std::uint64_t format = snapshot->header.schema_hash;
  if (format != format_ && std::find(before_.begin(), before_.end(), format) == before_.end())
    return failure(ErrorCode::kUnsupported);
  if (auto taken = take(snapshot->payload, format); !taken) return tl::unexpected(taken.error());
  return EventTime{snapshot->header.engine_time.time_since_epoch()};
}

Result<void> StateFile::write(EventTime now, std::string payload) {
  if (left_alone_) return failure(ErrorCode::kIo);
  files::SnapshotHeader header;
  header.shard = files::kCommons;
  header.engine_time = SteadyTime{now.time_since_epoch()};
  header.schema_hash = format_;
  return files::replace_file(system_, path_, files::seal_in_place(header, std::move(payload)));
}

}  // namespace liminal::signals
