#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/novelty/alarm_budget.hpp"
#include "core/novelty/interval.hpp"
#include "core/novelty/metric_detector.hpp"

namespace liminal::novelty {

/// What an owner tells of a series. None of it is needed.
struct SeriesSettings {
  std::optional<Range> range{};  ///< in which its values lie; worth some points of quality
  double alarms_per_week = 0;    ///< 0: the line that suits every series
  /// Whether it only grows, until it is reset, so that its rate a second is judged; none: as its
  /// sender says, a gauge if that says nothing.
  std::optional<bool> counter{};
  std::optional<EventTime> suppress_until{};  ///< nothing is told of points before it
  friend bool operator==(const SeriesSettings&, const SeriesSettings&) = default;
};
/// Everything wrong.
[[nodiscard]] Problems validate(const SeriesSettings& settings);

/// What one point of a series says.
struct SeriesScore {
  MetricScore::State state = MetricScore::State::kLearning;
  float score = 0;     ///< emitted, on the series' own line: 1 = alarm
  float rarity = 0;    ///< the same, whether or not there is something new to say
  float novelty = 0;   ///< raw
  float evidence = 0;  ///< for its entity, as MetricScore has it
  float doubtful = 0;
  float deviation = 0;
  bool few_levels = false;
  bool again = false;  ///< an alarm, because what its source told of came back
  friend bool operator==(const SeriesScore&, const SeriesScore&) = default;
};

/// A metric as its owner has it: points with times, gaps, resets and a wish for how many alarms
/// there should be, around the detector that sees only numbers.
///
/// - A counter's points become its rate a second; a fall is a reset, and that point counts as
///   missing.
/// - After a gap of more than twenty times the usual interval, means begin anew and no earlier
///   alarm holds a new one back. Irregular times are no gap.
/// - From an alarm on, the series is `ongoing` while its values stay outside what was ordinary
///   before, for as long as an alarm is held; after that the new level is ordinary: what alarmed
///   is learnt all the same.
/// - Before `suppress_until` it scores nothing and is `ongoing` where it would be new. It learns
///   all the same, but its budget, which is about what is told.
///   What is not ordinary still at the first point after that is new then, and what comes back
///   later as well.
/// - What comes back after at least five ordinary points, at least half as far out as the alarm
///   before it, is an incident of its own, up to three times; only then it is accepted.
///
/// Guarantees: those of MetricDetector; time that stands still or goes back counts as no time.
/// Memory: at most 1 KiB. Cost: about 190 ns a point (docs/benchmarks.md).
class MetricSeries {
 public:
  explicit MetricSeries(const SeriesSettings& settings = {});

  /// Takes other settings; what was learnt stays.
  void configure(const SeriesSettings& settings);
  /// What holds, its kind always among it.
  [[nodiscard]] SeriesSettings settings() const;
  /// Its sender says that it is a counter: so it is from the next `configure` on whose settings
  /// name no kind.
  void mark_as_counter() { sent_as_counter_ = true; }
  [[nodiscard]] bool sent_as_counter() const { return sent_as_counter_; }

  /// What is judged of a point: its value, or a counter's rate; NaN when there is none.
  [[nodiscard]] double seen(double value, EventTime at) const;

  /// Scores a point, then learns it. A missing one (NaN, infinite) changes nothing.
  /// `alarms_per_week`: how many are wanted while the settings say nothing; 0: neither.
  SeriesScore step(double value, EventTime at, double alarms_per_week = 0);

  /// Whether nothing is to be told of a point of this time.
  [[nodiscard]] bool suppressed(EventTime at) const {
    return at.time_since_epoch().count() < suppress_until_ns_;
  }

  /// Its source told of a row while an incident of this series lasts: that will be an incident
  /// again when it comes back.
  void tell() { incident_.told = incident_.score > 0; }

  /// Its sender's clock was wrong: the next point is taken for the first of a new time.
  void restart_clock() { last_ns_ = kNever; }

  /// The stretch of ordinary values nearest to `value`, before that is learnt; of a counter, its
  /// values at `at`. None while learning.
  [[nodiscard]] std::optional<Range> expected(double value, EventTime at) const;
  /// The stretch of ordinary values around the last point; of a counter, its rates.
  [[nodiscard]] std::optional<Range> expected() const { return detector_.expected(); }

  [[nodiscard]] std::uint32_t points() const { return detector_.points(); }
  /// When its last point was; nothing before the first.
  [[nodiscard]] std::optional<EventTime> last() const {
    return last_ns_ == kNever ? std::nullopt : std::optional(EventTime{Duration{last_ns_}});
  }
  /// How far the detector is trusted, 0 to 1: grows with the points seen.
  [[nodiscard]] double trust() const { return detector_.trust(); }
  /// By what the latest score was divided to keep to its budget.
  [[nodiscard]] float line() const { return line_; }

  /// What it emitted, over weeks that are forgotten by and by.
  [[nodiscard]] const AlarmBudget& observed() const { return budget_; }

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  struct Incident {
    Range ordinary{};  ///< what was expected when it began
    float score = 0;   ///< 0: there is none
    float depth = 0;   ///< how far out it began; negative below
    std::uint32_t age = 0;
    std::uint16_t calm = 0;  ///< ordinary points in a row
    std::uint8_t repeats = 0;
    bool told = false;  ///< its source alarmed, too
  };

  [[nodiscard]] double seconds_since_last(EventTime at) const;
  void pass_time(EventTime at);
  [[nodiscard]] bool recurs(double value);
  void begin_incident(double value, const std::optional<Range>& ordinary, float score);

  MetricDetector detector_;
  AlarmBudget budget_;
  std::optional<Range> range_;
  double alarms_per_week_ = 0;
  std::int64_t last_ns_ = kNever;
  std::int64_t suppress_until_ns_ = kNever;
  double last_value_ = 0;  ///< of a counter
  Incident incident_;
  Interval interval_;
  float line_ = 1;
  bool counter_ = false;
  bool sent_as_counter_ = false;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
};

}  // namespace liminal::novelty
