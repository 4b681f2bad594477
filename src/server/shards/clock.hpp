#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "core/base/time.hpp"

namespace liminal::shards {

/// Where the engine's time stood, and what the date was then: what is kept across restarts.
struct ClockState {
  SteadyTime engine;
  Duration wall{};  ///< since the Unix epoch
};

/// The engine's time as the server lives it: never goes back, neither when the machine's date is
/// set nor over a restart.
///
/// A fresh one begins at the date. From then on the machine's steady clock counts, `scale` times as
/// fast. As fast as the date (scale 1) it is the highest date that was ever seen: one that resumes
/// begins at the date again, or where it was when the date is behind that; where the steady clock
/// stood still (the machine slept, its virtual machine was paused) or the date was set forward,
/// `follow` makes it good. At another scale it leaves the date; one that resumes goes on from where
/// it was, by the time that the date says has passed since.
///
/// Any thread may ask; one follows. Cost: one reading of the clock, some 25 ns.
class EngineClock {
 public:
  /// The machine's clocks, or a test's.
  struct Source {
    std::function<Duration()> wall;    ///< since the Unix epoch
    std::function<Duration()> steady;  ///< since whenever; none: the machine's
  };
  explicit EngineClock(double scale = 1,
                       const std::optional<ClockState>& resumed = std::nullopt,
                       Source source = {});

  [[nodiscard]] SteadyTime now() const { return moment().now; }
  struct Moment {
    SteadyTime now;
    Duration followed;  ///< as `followed()`
  };
  /// Both of one moment, while another thread follows.
  [[nodiscard]] Moment moment() const;
  /// What to keep, so that another one can resume.
  [[nodiscard]] ClockState state() const { return {now(), date()}; }
  [[nodiscard]] double scale() const { return scale_; }

  /// Since the Unix epoch, as the machine has it now.
  [[nodiscard]] Duration date() const { return source_.wall(); }
  /// Goes forward to the date when that is ahead by more than a second, at scale 1; by more than
  /// `kFollowedAtOnce` when it was at `kLooks` calls in a row, since a date that is wrong for a
  /// moment would stay. Gives by how much it went. To be called once a second, by one thread.
  Duration follow();
  static constexpr Duration kFollowedAtOnce = std::chrono::hours{24};
  static constexpr unsigned kLooks = 60;
  /// All that it went forward so: who lives second by second has a gap where this changed.
  [[nodiscard]] Duration followed() const;
  /// By how much it is ahead of the date, as when that was wrong once; zero at another scale.
  [[nodiscard]] Duration ahead() const;

 private:
  [[nodiscard]] Duration steady() const;

  Source source_;
  double scale_;
  Duration steady_start_;
  SteadyTime engine_start_;
  std::atomic<Duration::rep> followed_{0};
  unsigned far_looks_ = 0;  ///< in a row at which the date was farther ahead than a day
};

}  // namespace liminal::shards
