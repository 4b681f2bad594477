#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace liminal::sqlite {

enum class StoreState : std::uint8_t {
  kOk,
  kOpening,  ///< has not been opened yet
  kLocked,   ///< another process holds the database
  kFull,     ///< no room left on the disk
  kCorrupt,  ///< the file is damaged or no database
  kTooNew,   ///< a newer program wrote it
  kIo,       ///< the operating system refuses
};
[[nodiscard]] std::string_view name(StoreState state);
[[nodiscard]] StoreState state_of(const Error& error);

/// How the store is doing, for /readyz, metrics and the log.
struct StoreHealth {
  StoreState state = StoreState::kOpening;
  int sqlite_code = 0;         ///< SQLite's extended result code; 0 when all is well
  std::string_view message;    ///< SQLite's words for it
  std::uint64_t failures = 0;  ///< commits, openings and reads that failed so far
  std::chrono::steady_clock::time_point since;  ///< of this state
  /// Reads may work although writing does not.
  [[nodiscard]] bool writable() const { return state == StoreState::kOk; }
};

/// Follows the state and tells who listens when it changes. Thread-safe.
class HealthKeeper {
 public:
  using Listener = std::function<void(const StoreHealth&)>;
  explicit HealthKeeper(Listener listener) : listener_(std::move(listener)) {}

  /// The writer's last attempt: `error` none when it succeeded.
  void report(const Error* error);
  /// A read found the file damaged: that stays the state until the database is opened anew, even
  /// though writing elsewhere in it may go on. Other errors of reads are only counted.
  void report_read(const Error& error);
  void opened_anew();
  /// Waits for the first report.
  void wait_for_first() const;
  [[nodiscard]] StoreHealth get() const;

 private:
  const Listener listener_;
  void change(const std::function<void()>& update);

  mutable std::mutex mutex_;
  mutable std::condition_variable reported_;
  StoreHealth health_;
  std::optional<Error> written_;  ///< what ails the writer
  std::optional<Error> damage_;   ///< what a read found
};

}  // namespace liminal::sqlite
