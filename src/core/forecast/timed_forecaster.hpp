#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/codec.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/forecast/forecaster.hpp"

namespace liminal::forecast {

/// What is said of a timed series, and by whom, at one moment.
struct Outlook {
  EventTime begins{};                     ///< of the first step ahead
  EventTime refitted_at{};                ///< the first step that the last refit did not know
  std::uint64_t points = 0, missing = 0;  ///< that are kept: steps, and those without a value
  Forecast ahead;                         ///< of all steps and levels of `TimedForecaster`
  Plan plan;
  Standing standing;
  std::uint64_t shift_at = 0;  ///< as of `Model`, counted from the first point kept
  double shift_factor = 1;
  bool shift_certain = true;
};

/// Forecasts a series that is told at any times, such as a rate every few seconds: means over
/// steps of five minutes, four hours ahead.
///
/// A value holds since the time before, when that is at most a quarter of an hour ago; else nothing
/// is known of the time between. A step of which less than half is known is missing, as are those
/// of a gap; after one of sixteen days the series begins anew. A value that is not later than the
/// last changes nothing, unless it lies an hour or more before it: then the clock was set back, and
/// the series begins anew, too.
///
/// Sixteen days are kept: the least that shows a week is two of them and a day.
/// A refit takes milliseconds and is another's work: it refits a copy of `forecaster()` and gives
/// it back by `take`.
///
/// Cost: `observe` some 50 ns, and a refit of all that is kept some 20 ms. Memory: 103 KB after
/// sixteen days, its model included; at most 130 KB, as half as much again is kept before it is
/// cut.
class TimedForecaster {
 public:
  using Step = std::chrono::duration<std::int64_t, std::ratio<300>>;
  static constexpr Duration kHold = std::chrono::minutes{15};
  static constexpr Duration kSetBack = std::chrono::hours{1};
  static constexpr std::uint32_t kHorizon = 48;
  static constexpr std::uint32_t kPointsMax = 16 * 288;
  static constexpr std::array<double, 7> kLevels{.05, .1, .25, .5, .75, .9, .95};

  TimedForecaster();

  /// True when a step ended. A value that is not finite, or beyond `Forecaster::kValueMax`, leaves
  /// the time that it speaks of unknown. A time further than 142 years from the epoch is left.
  bool observe(double value, EventTime at);

  [[nodiscard]] const Forecaster& forecaster() const { return forecaster_; }
  /// Begin of the step that is open: of the first that a forecast speaks of.
  [[nodiscard]] EventTime begins() const { return begin_of(open_); }
  /// When something was told last; none before that.
  [[nodiscard]] const std::optional<EventTime>& last() const { return last_; }
  /// How much time must be told of until there is enough for a forecast; zero when there is.
  [[nodiscard]] Duration lacks() const;

  /// Goes on with a copy that was refitted, and with what was learnt since it was taken. It must be
  /// one of this series since it began anew last: that the caller knows. One of more points is
  /// left.
  void take(Forecaster refitted);

  /// Format version 1. What is loaded knows nothing of the time until it is told again. `load`
  /// fails, and changes nothing, when the bytes make no sense.
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  [[nodiscard]] static std::int64_t step_of(EventTime at);
  [[nodiscard]] static EventTime begin_of(std::int64_t step);
  void add(double value, Duration time);
  void close();
  void pass_gap(std::int64_t until);

  Forecaster forecaster_;
  std::int64_t open_ = 0;  ///< counted from the epoch
  double sum_ = 0;         ///< of the open step: value times seconds
  Duration known_{};       ///< and of how much of it
  bool holds_ = false;     ///< what is told next holds since `last_`
  std::optional<EventTime> last_;
};

/// What a forecaster with a model says of the steps from `begins` on; kMissing when all that it
/// would look back to is missing.
[[nodiscard]] Result<Outlook> outlook_of(const Forecaster& forecaster, EventTime begins);

}  // namespace liminal::forecast
