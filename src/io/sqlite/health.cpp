#include "io/sqlite/health.hpp"

#include <sqlite3.h>

#include <array>

#include "io/sqlite/database.hpp"

namespace liminal::sqlite {

std::string_view name(StoreState state) {
  constexpr std::array<std::string_view, 7> kNames{
      "ok", "opening", "locked", "full", "corrupt", "too_new", "io_error"};
  return kNames[static_cast<std::size_t>(state)];
}

StoreState state_of(const Error& error) {
  if (error.code == ErrorCode::kUnsupported) return StoreState::kTooNew;
  if (error.code == ErrorCode::kChecksum) return StoreState::kCorrupt;
  if (error.code == ErrorCode::kUnavailable) return StoreState::kLocked;
  return (sqlite_code(error) & 0xff) == SQLITE_FULL ? StoreState::kFull : StoreState::kIo;
}

void HealthKeeper::change(const std::function<void()>& update) {
  StoreHealth changed;
  {
    const std::lock_guard lock(mutex_);
    update();
    const std::optional<Error>& error = written_ ? written_ : damage_;
    const StoreState state = error ? state_of(*error) : StoreState::kOk;
    if (state == health_.state) return;
    // A schema from the future is no failure of SQLite's: the position is its version.
    const bool from_sqlite = error && state != StoreState::kTooNew;
    health_.state = state;
    health_.sqlite_code = from_sqlite ? sqlite_code(*error) : 0;
    health_.message = from_sqlite ? message_of(health_.sqlite_code) : std::string_view{};
    health_.since = std::chrono::steady_clock::now();
    changed = health_;
  }
  reported_.notify_all();
  if (listener_) listener_(changed);
}

void HealthKeeper::report(const Error* error) {
  change([&] {
    written_ = error == nullptr ? std::nullopt : std::optional(*error);
    if (error != nullptr) ++health_.failures;
  });
}

void HealthKeeper::report_read(const Error& error) {
  const auto count = [&] {
    ++health_.failures;
    if (error.code == ErrorCode::kChecksum) damage_ = error;
  };
  change(count);
}

void HealthKeeper::opened_anew() {
  const std::lock_guard lock(mutex_);
  damage_.reset();  // the report that follows tells
}

void HealthKeeper::wait_for_first() const {
  std::unique_lock lock(mutex_);
  reported_.wait(lock, [this] { return health_.state != StoreState::kOpening; });
}

StoreHealth HealthKeeper::get() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

}  // namespace liminal::sqlite
