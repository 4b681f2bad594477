#include "io/sqlite/reader_pool.hpp"

#include <sqlite3.h>

namespace liminal::sqlite {

Result<ReaderPool::Connection> ReaderPool::open(std::uint64_t opening) const {
  constexpr std::chrono::milliseconds kBusyPatience{200};  // while a log is recovered
  return Database::open(options_.path,
                        {.read_only = true, .busy_patience = kBusyPatience, .vfs = options_.vfs})
      .map([opening](Database&& database) {
        return Connection{std::move(database), opening};
      });
}

Result<ReaderPool::Connection> ReaderPool::acquire() {
  const std::uint64_t opening = writer_.openings();
  if (opening == 0) return failure(ErrorCode::kUnavailable);
  {
    std::unique_lock lock(mutex_);
    const bool free =
        freed_.wait_for(lock, options_.patience, [this] { return lent_ < options_.connections; });
    if (!free) return failure(ErrorCode::kUnavailable, SQLITE_BUSY);
    ++lent_;
    while (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection.opening == opening) return connection;
    }
  }
  Result<Connection> opened = open(opening);
  if (opened) return opened;
  health_.report_read(opened.error());
  {
    const std::lock_guard lock(mutex_);
    --lent_;
  }
  freed_.notify_one();
  return opened;
}

void ReaderPool::release(Connection connection, const Error* error) {
  if (error != nullptr) health_.report_read(*error);
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (error == nullptr) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

}  // namespace liminal::sqlite
