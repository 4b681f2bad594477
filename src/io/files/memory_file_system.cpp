#include "io/files/memory_file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace liminal::files {
namespace {

tl::unexpected<Error> no_such_file() { return failure(ErrorCode::kMissing, ENOENT); }

/// What a disk may hold of a file after a loss of power.
std::string after_crash(const std::string& bytes, const std::string& synced, Random& random) {
  const bool appended =
      bytes.size() >= synced.size() && bytes.compare(0, synced.size(), synced) == 0;
  if (!appended) return random.chance(.5) ? bytes : synced;
  std::string left =
      bytes.substr(0, synced.size() + random.below(bytes.size() - synced.size() + 1));
  const std::size_t unsynced = left.size() - synced.size();
  if (random.chance(.3)) {
    const std::size_t zeros = random.below(unsynced + 1);
    std::fill(left.end() - static_cast<std::ptrdiff_t>(zeros), left.end(), '\0');
  }
  return left;
}

}  // namespace

class MemoryFileSystem::File final : public WritableFile {
 public:
  File(MemoryFileSystem& system, std::shared_ptr<Inode> inode)
      : system_(system), inode_(std::move(inode)) {}

  Result<std::size_t> write_some(std::string_view bytes) override {
    if (const Result<void> turn = system_.operate(); !turn) return tl::unexpected(turn.error());
    const std::uint64_t used = system_.used_bytes();
    const std::uint64_t most = std::max(used, system_.faults.disk_bytes);
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>({bytes.size(), system_.faults.write_bytes_max, most - used}));
    if (count == 0) return failure(ErrorCode::kIo, ENOSPC);
    inode_->bytes.append(bytes.substr(0, count));
    inode_->modified = std::chrono::nanoseconds{system_.operations_};
    return count;
  }

  Result<void> sync() override {
    if (Result<void> turn = system_.operate(); !turn) return turn;
    if (system_.faults.fail_syncs) return failure(ErrorCode::kIo, EIO);
    inode_->synced = inode_->bytes;
    return {};
  }

 private:
  MemoryFileSystem& system_;
  std::shared_ptr<Inode> inode_;
};

Result<void> MemoryFileSystem::operate() {
  ++operations_;
  const bool fails =
      faults.fail_at != 0 &&
      (operations_ == faults.fail_at || (faults.fail_ever_after && operations_ > faults.fail_at));
  if (fails) return failure(ErrorCode::kIo, EIO);
  return {};
}

std::uint64_t MemoryFileSystem::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, inode] : names_) sum += inode->bytes.size();
  return sum;
}

void MemoryFileSystem::crash(Random& random) {
  names_ = since_sync_[random.below(since_sync_.size())];
  for (auto& [path, inode] : names_) {
    const std::string left = after_crash(inode->bytes, inode->synced, random);
    inode = std::make_shared<Inode>(Inode{left, left, inode->modified});
  }
  since_sync_ = {names_};
  faults = {};
}

Result<std::unique_ptr<WritableFile>> MemoryFileSystem::create(const std::string& path) {
  if (const Result<void> turn = operate(); !turn) return tl::unexpected(turn.error());
  std::shared_ptr<Inode>& inode = names_[path];
  if (inode != nullptr) {
    inode->bytes.clear();
  } else {
    inode = std::make_shared<Inode>();
    rename_happened();
  }
  return std::make_unique<File>(*this, inode);
}

Result<std::unique_ptr<WritableFile>> MemoryFileSystem::append_to(const std::string& path) {
  if (const Result<void> turn = operate(); !turn) return tl::unexpected(turn.error());
  const auto found = names_.find(path);
  if (found == names_.end()) return no_such_file();
  return std::make_unique<File>(*this, found->second);
}

Result<std::string> MemoryFileSystem::read_head(const std::string& path, std::size_t bytes_max) {
  const auto found = names_.find(path);
  if (found == names_.end()) return no_such_file();
  return found->second->bytes.substr(0, bytes_max);
}

Result<std::string> MemoryFileSystem::read(const std::string& path, std::size_t bytes_max) {
  if (faults.fail_reads) return failure(ErrorCode::kIo, EIO);
  const auto found = names_.find(path);
  if (found == names_.end()) return no_such_file();
  if (found->second->bytes.size() > bytes_max) return failure(ErrorCode::kTooLarge, EFBIG);
  return found->second->bytes;
}

Result<std::vector<FileEntry>> MemoryFileSystem::list(const std::string& folder) {
  std::vector<FileEntry> entries;
  for (const auto& [path, inode] : names_)
    if (folder_of(path) == folder)
      entries.push_back({path.substr(folder.size() + 1), inode->bytes.size(), inode->modified});
  return entries;
}

Result<void> MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  if (Result<void> turn = operate(); !turn) return turn;
  const auto found = names_.find(from);
  if (found == names_.end()) return no_such_file();
  names_[to] = found->second;
  names_.erase(from);
  rename_happened();
  return {};
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
  if (Result<void> turn = operate(); !turn) return turn;
  if (names_.erase(path) == 0) return no_such_file();
  rename_happened();
  return {};
}

Result<void> MemoryFileSystem::truncate(const std::string& path, std::uint64_t bytes) {
  if (Result<void> turn = operate(); !turn) return turn;
  const auto found = names_.find(path);
  if (found == names_.end()) return no_such_file();
  found->second->bytes.resize(static_cast<std::size_t>(bytes));
  return {};
}

Result<void> MemoryFileSystem::create_folder(const std::string& /*path*/) { return {}; }

Result<void> MemoryFileSystem::sync_folder(const std::string& /*folder*/) {
  if (Result<void> turn = operate(); !turn) return turn;
  since_sync_ = {names_};
  return {};
}

}  // namespace liminal::files
