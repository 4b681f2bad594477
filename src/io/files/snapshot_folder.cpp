#include "io/files/snapshot_folder.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "io/files/replace.hpp"

namespace liminal::files {
namespace {

constexpr std::string_view kSuffix = ".snapshot";
constexpr std::size_t kDigits = 16;

/// "shard-07" of "folder/shard-07.snapshot".
std::string stem(ShardId shard) {
  const std::string name = snapshot_path("", shard).substr(1);
  return name.substr(0, name.size() - kSuffix.size());
}

/// "folder/shard-07-00000000000003e8.snapshot".
std::string kept_path(const std::string& folder, ShardId shard, std::uint64_t input) {
  char digits[kDigits];
  const char* end = std::to_chars(digits, digits + kDigits, input, 16).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  return folder + "/" + stem(shard) + "-" + std::string(kDigits - count, '0') +
         std::string(digits, count) + std::string(kSuffix);
}

bool is_kept(std::string_view name, std::string_view stem) {
  return name.size() == stem.size() + 1 + kDigits + kSuffix.size() && name.starts_with(stem) &&
         name[stem.size()] == '-' && name.ends_with(kSuffix);
}

std::optional<StoredSnapshot> look_at(FileSystem& system,
                                      const std::string& path,
                                      std::uint64_t bytes,
                                      ShardId shard) {
  const Result<std::string> head = system.read_head(path, kSnapshotHeaderBytes);
  if (!head) return std::nullopt;
  const Result<SnapshotHeader> header = read_snapshot_header(*head);
  if (!header || header->shard != shard) return std::nullopt;
  return StoredSnapshot{path, bytes, *header};
}

/// Those of one shard among a folder's files, in the order of their names.
std::vector<StoredSnapshot> kept_among(FileSystem& system,
                                       const std::string& folder,
                                       const std::vector<FileEntry>& files,
                                       ShardId shard) {
  std::vector<StoredSnapshot> found;
  const std::string mine = stem(shard);
  for (const FileEntry& file : files) {
    if (!is_kept(file.name, mine)) continue;
    if (auto stored = look_at(system, folder + "/" + file.name, file.bytes, shard))
      found.push_back(std::move(*stored));
  }
  return found;
}

}  // namespace

Result<SnapshotFolder> SnapshotFolder::open(FileSystem& system, SnapshotFolderOptions options) {
  SnapshotFolder folder(system, std::move(options));
  const std::string& path = folder.options_.folder;
  const Result<void> made = system.create_folder(path);
  if (!made) return tl::unexpected(made.error());
  const Result<std::vector<FileEntry>> files = system.list(path);
  if (!files) return tl::unexpected(files.error());
  for (std::uint8_t i = 0; i <= kShards; ++i) {
    folder.kept_[i] = kept_among(system, path, *files, ShardId{i});
    const std::string newest = snapshot_path(path, ShardId{i});
    const auto file = std::find_if(files->begin(), files->end(), [&](const FileEntry& entry) {
      return path + "/" + entry.name == newest;
    });
    if (file == files->end()) continue;
    if (const auto stored = look_at(system, newest, file->bytes, ShardId{i})) {
      folder.newest_[i] = stored->header;
      folder.newest_bytes_[i] = stored->bytes;
    }
  }
  return folder;
}

Result<void> SnapshotFolder::save(const SnapshotHeader& header,
                                  std::string_view payload,
                                  bool keep_before) {
  const std::size_t shard = index(header.shard);
  const std::string path = snapshot_path(options_.folder, header.shard);
  const bool keep = keep_before && newest_[shard] && newest_[shard]->input != header.input;
  const std::string before =
      keep ? kept_path(options_.folder, header.shard, newest_[shard]->input) : path + ".previous";
  const std::string bytes = seal_snapshot(header, payload);
  if (const Result<void> saved = replace_file_unsynced(*system_, path, bytes, before); !saved)
    return saved;
  if (keep) kept_[shard].push_back({before, newest_bytes_[shard], *newest_[shard]});
  newest_[shard] = header;
  newest_bytes_[shard] = bytes.size();
  return {};
}

Result<void> SnapshotFolder::sync() { return system_->sync_folder(options_.folder); }

Result<LoadedSnapshot> SnapshotFolder::load(ShardId shard) const {
  Result<LoadedSnapshot> newest = load_snapshot(*system_, options_.folder, shard);
  if (newest) return newest;
  const std::vector<StoredSnapshot>& kept = kept_[index(shard)];
  for (auto older = kept.rbegin(); older != kept.rend(); ++older) {
    Result<LoadedSnapshot> loaded = load_snapshot(*system_, *older);
    if (!loaded) continue;
    loaded->previous = true;
    return loaded;
  }
  return newest;
}

/// One is needed while the next one begins behind `oldest`.
void SnapshotFolder::retain(SteadyTime oldest) {
  for (std::size_t shard = 0; shard <= kShards; ++shard) {
    std::vector<StoredSnapshot>& kept = kept_[shard];
    while (!kept.empty()) {
      const std::optional<SnapshotHeader> next =
          kept.size() > 1 ? std::optional(kept[1].header) : newest_[shard];
      if (!next || next->engine_time > oldest) break;
      remove_kept(shard, 0);
    }
  }
  while (kept_bytes() > options_.kept_bytes_max) {
    std::size_t of = kept_.size();
    for (std::size_t shard = 0; shard <= kShards; ++shard) {
      if (kept_[shard].empty()) continue;
      const bool older = of == kept_.size() || kept_[shard].front().header.engine_time <
                                                   kept_[of].front().header.engine_time;
      if (older) of = shard;
    }
    remove_kept(of, 0);
  }
}

void SnapshotFolder::remove_kept(std::size_t shard, std::size_t which) {
  (void)system_->remove(kept_[shard][which].path);  // else the next start finds it again
  kept_[shard].erase(kept_[shard].begin() + static_cast<std::ptrdiff_t>(which));
}

std::uint64_t SnapshotFolder::kept_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& kept : kept_)
    for (const StoredSnapshot& stored : kept) sum += stored.bytes;
  return sum;
}

std::size_t SnapshotFolder::kept() const {
  std::size_t sum = 0;
  for (const auto& kept : kept_) sum += kept.size();
  return sum;
}

Result<std::vector<StoredSnapshot>> find_snapshots(FileSystem& system,
                                                   const std::string& folder,
                                                   ShardId shard) {
  const Result<std::vector<FileEntry>> files = system.list(folder);
  if (!files) return tl::unexpected(files.error());
  std::vector<StoredSnapshot> found = kept_among(system, folder, *files, shard);
  const std::string newest = stem(shard) + std::string(kSuffix);
  for (const FileEntry& file : *files) {
    if (file.name != newest && file.name != newest + ".previous") continue;
    if (auto stored = look_at(system, folder + "/" + file.name, file.bytes, shard))
      found.push_back(std::move(*stored));
  }
  const auto input = [](const StoredSnapshot& stored) { return stored.header.input; };
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    return input(a) > input(b);
  });
  const auto same = [&](const auto& a, const auto& b) { return input(a) == input(b); };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

Result<LoadedSnapshot> load_snapshot(FileSystem& system, const StoredSnapshot& stored) {
  Result<LoadedSnapshot> loaded = read_snapshot(system, stored.path, stored.header.shard);
  if (loaded && !(loaded->header == stored.header)) return failure(ErrorCode::kConflict);
  return loaded;
}

}  // namespace liminal::files
