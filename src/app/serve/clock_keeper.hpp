#pragma once

#include <cstdint>

#include "app/log.hpp"
#include "io/sqlite/store.hpp"
#include "server/shards/clock.hpp"

namespace liminal::app {

/// The engine's time as the server has it: goes on from what the store kept, follows the date, and
/// is kept every second.
class ClockKeeper {
 public:
  /// Takes the store along to the time that it resumes with. `store` and `log` outlive it.
  ClockKeeper(sqlite::Store& store, double scale, Log& log);

  [[nodiscard]] shards::EngineClock& clock() { return clock_; }
  [[nodiscard]] SteadyTime now() const { return clock_.now(); }

  /// Once a second: follows the date, says in the log when it did and when it is far from it, and
  /// saves.
  void second();

  /// So that the next start goes on from here.
  void save();

 private:
  void follow();

  sqlite::Store& store_;
  Log& log_;
  shards::EngineClock clock_;
  std::uint32_t seconds_until_apart_ = 0;  ///< is said again
};

}  // namespace liminal::app
