#pragma once

#include <chrono>
#include <cstdint>

namespace liminal {

using Duration = std::chrono::nanoseconds;

/// The engine's time: nanoseconds since the Unix epoch, never going back. Limits and windows count
/// in it. It has no `now()`: the core never reads a clock, whoever calls it says what time it is.
struct SteadyClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyClock>;
  static constexpr bool is_steady = true;
};
using SteadyTime = SteadyClock::time_point;

/// What somebody outside says the time is: nanoseconds since the Unix epoch. It may stand still,
/// jump or go back; the engine turns it into a `SteadyTime` (engine/shard.hpp says how).
struct EventClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<EventClock>;
  static constexpr bool is_steady = false;
};
using EventTime = EventClock::time_point;

/// Seconds as a real number, for formulas.
[[nodiscard]] constexpr double seconds(Duration duration) {
  return static_cast<double>(duration.count()) * 1e-9;
}

/// A real number of seconds as a duration, rounded to a nanosecond. `s` must be finite and below
/// 2^33 in magnitude (some 270 years).
[[nodiscard]] constexpr Duration from_seconds(double s) {
  return Duration{static_cast<Duration::rep>(s * 1e9 + (s < 0 ? -.5 : .5))};
}

[[nodiscard]] constexpr std::int64_t nanoseconds(SteadyTime time) {
  return time.time_since_epoch().count();
}

}  // namespace liminal
