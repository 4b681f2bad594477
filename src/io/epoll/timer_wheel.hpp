#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"

namespace liminal::epoll {

/// Time of this machine since some start: never goes back, says nothing about the date.
using LoopTime = Duration;

class TimerWheel;

/// Something to be told that a time has come. Lives inside its owner; leaves its wheel when it is
/// destroyed. 40 bytes.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { cancel(); }

  void cancel();
  [[nodiscard]] bool armed() const { return next_ != nullptr; }
  virtual void on_timer() = 0;

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  std::uint64_t due_ = 0;  ///< tick
};

/// Many timers at almost no cost: one is linked in and out in a few nanoseconds, and an armed one
/// costs nothing until it is due.
///
/// Guarantee: a timer fires never early and at most two ticks (32 ms) late, counted from the
/// `advance` that is due. Horizon: about 19 hours; longer delays are cut to it.
///
/// Three levels of 64, 256 and 256 slots: 1 s, 262 s and 18.6 h. A timer moves down at most twice.
/// Not thread-safe: one loop's.
///
/// Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987, scheme 7.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds{16};

  explicit TimerWheel(LoopTime now);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Arms, or arms anew, counted from the last `advance`, or from `now` when that is later: who has
  /// slept and not yet advanced must not count from before its sleep.
  void arm(Timer& timer, Duration delay, LoopTime now);
  void arm(Timer& timer, Duration delay) { arm(timer, delay, start_); }

  /// Fires what is due. Timers may arm and cancel timers and destroy themselves while it runs.
  void advance(LoopTime now);

  /// How long one may sleep before the next `advance` has something to do: none when nothing is
  /// armed. May be too short (by what moves between levels), never too long.
  [[nodiscard]] std::optional<Duration> until_next(LoopTime now) const;

 private:
  struct Slot : Timer {
    void on_timer() override {}
  };

  [[nodiscard]] std::uint64_t tick_of(LoopTime now) const;
  void link(Timer& timer);
  void cascade(Slot& slot);
  [[nodiscard]] static bool empty(const Slot& slot);

  static constexpr unsigned kBits0 = 6, kBits1 = 8, kBits2 = 8;
  LoopTime start_;
  std::uint64_t tick_ = 0;  ///< everything due up to here has fired
  std::array<Slot, 1U << kBits0> near_;
  std::array<Slot, 1U << kBits1> middle_;
  std::array<Slot, 1U << kBits2> far_;
};

}  // namespace liminal::epoll
