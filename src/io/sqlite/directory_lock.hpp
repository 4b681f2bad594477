#pragma once

#include <string>

#include "core/base/result.hpp"

namespace liminal::sqlite {

/// Holds a data directory for this process, so that two do not write into the same. The kernel
/// drops it when the process ends, however it ends: nothing stale is ever left behind.
///
/// The file `lock` in the directory carries the holder's process id, for a person to read.
class DirectoryLock {
 public:
  /// Errors: kConflict when another process (or another lock of this one) holds it; kIo, with
  /// errno as position, when the directory cannot be written.
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int file) : file_(file) {}
  int file_ = -1;
};

}  // namespace liminal::sqlite
