#include "io/sqlite/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace liminal::sqlite {
namespace {

tl::unexpected<Error> refused() {
  const auto position = static_cast<std::uint64_t>(errno);
  return failure(errno == EWOULDBLOCK ? ErrorCode::kConflict : ErrorCode::kIo, position);
}

/// Only for people: that it may fail (a full disk) does not matter to the lock.
void write_process_id(int file) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) == 0) (void)!::pwrite(file, text.data(), text.size(), 0);
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return refused();
  DirectoryLock lock(file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) return refused();
  write_process_id(file);
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace liminal::sqlite
