#include "io/sqlite/checkpointer.hpp"

#include <utility>

#include "io/sqlite/database.hpp"

namespace liminal::sqlite {

Checkpointer::Checkpointer(std::string path, std::string vfs)
    : path_(std::move(path)), vfs_(std::move(vfs)) {
  thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::ask() {
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
  }
  wake_.notify_one();
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return asked_ || closing_; });
    if (closing_) return;
    asked_ = false;
    lock.unlock();
    checkpoint();
    lock.lock();
  }
}

/// Opens the file each time: it may be another one by now, and must not be made where there is
/// none.
void Checkpointer::checkpoint() const {
  auto database = Database::open(path_, {.create = false, .vfs = vfs_});
  // A connection that has read nothing does not know that there is a log.
  if (database && database->integer("PRAGMA user_version")) (void)database->checkpoint();
}

}  // namespace liminal::sqlite
