#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/novelty/alarm_line.hpp"
#include "core/novelty/occupancy.hpp"

namespace liminal::novelty {

/// The constants of the detector. Chosen on one half of the data (docs/benchmarks.md); the optima
/// are flat, so they are no knobs for users.
struct Constants {
  // Weights of the three axes and of the short horizon.
  float value_weight = 1.126F;
  float mean_weight = .6576F;
  float deviation_weight = .1808F;
  float short_weight = .02337F;
  float short_weight_entity = .03415F;
  // Levels lie ln(n)/n of the range apart by chance: so many times that is no novelty; while there
  // are few points, and always when the range is declared.
  float spacing = 1;
  float spacing_points = 300;
  float spacing_declared = .5F;
  // Horizons, in points.
  std::uint32_t short_points = 338;
  std::uint32_t long_points = 12'607;
  // Belief: how fast novelty is trusted, and how much past novelty discounts it.
  float ramp = .4137F;
  float history = 4.012F;
  float history_points = 24.04F;
  // The value axis: curvature, undeclared and declared.
  float curvature = 13.62F;
  float curvature_declared = 20;
  float range_slack = .15F;
  float declared_weight = .9462F;
  float declared_value_weight = .9776F;
  // The held peak: a second alarm within this many units of belief must be larger.
  float hold = .1649F;
  AlarmLine::Shape line{4.825, .00314, 13'370, 12'680, 536.6};
  // How many points tell what is rare (score_max), of this metric alone and among others. 200 is
  // the most that costs nothing on NAB; 1,500 are a day of minutes, whose levels are new until it
  // ends.
  float enough = 200;
  float enough_entity = 1500;
  // The slow deviation that counts for an entity only.
  float slow_rate = .001128F;
  float slow_floor = .03724F;
  float slow_dead = 2.784F;
  float slow_cap = 9.021F;
  float slow_weight = .01327F;
};

/// What one point says.
struct MetricScore {
  enum class State : std::uint8_t { kLearning, kNormal, kNew, kOngoing };
  State state = State::kLearning;
  float novelty = 0;   ///< raw, ≥ 0
  float rarity = 0;    ///< on the scale of `score`, whether or not there is something new to say
  float score = 0;     ///< what is emitted: 0 while there is nothing new to say; 1 = the alarm line
  float evidence = 0;  ///< what it adds to its entity's (entity.hpp)
  /// What it would add beside that if there had been points enough to tell.
  float doubtful = 0;
  float deviation = 0;  ///< from its slow mean, in its standard deviations
  /// So few levels were known before that how far they lie apart says nothing.
  bool few_levels = false;
  friend bool operator==(const MetricScore&, const MetricScore&) = default;
};
/// "learning", "normal", "new", "ongoing".
[[nodiscard]] std::string_view name(MetricScore::State state);

/// A stretch of values, in their own unit; `low` ≤ `high`.
struct Range {
  double low = 0;
  double high = 0;
  [[nodiscard]] bool holds(double value) const { return value >= low && value <= high; }
  friend bool operator==(const Range&, const Range&) = default;
};

/// Finds what is new in one metric, point by point, told nothing of the series: a point is as
/// anomalous as its level is far from every level seen so far.
///
/// Three axes remember levels: the value on a log-like scale, the mean of the last 28 points, and
/// the deviation from a slow mean. Novelty is the distance to the nearest remembered level,
/// believed less in a series that is often novel. An alarm line that calibrates itself turns it
/// into a score, which is bounded by what so few points can tell (alarm_line.hpp, score_max).
///
/// Of a series that was constant, or knows three levels at most, nothing tells whether a change is
/// large: only that none came in its n points. So what leaves them scores n/537 at most, and is an
/// alarm from 537 points on, at which an event that never came may be as rare as an alarm is. A
/// declared range tells what is large. What varies by less than a billionth of its level, as
/// rounding does, is constant.
///
/// Guarantees: a missing point (NaN or infinite) changes nothing; scores are at most `kScoreMax`; a
/// constant series never alarms; the same points give the same bits everywhere; a range that was
/// not declared grows only. Memory: 584 bytes. Cost: docs/benchmarks.md, more while the range still
/// grows.
///
/// Source: our own study (docs/benchmarks.md has method and figures).
class MetricDetector {
 public:
  explicit MetricDetector(const Constants& constants = kDefaults) : constants_(&constants) {}

  /// Tells the range in which values lie; worth some points of quality. What was learnt before is
  /// kept, as far as it lies in the range.
  void declare(const Range& range);

  /// Scores a point, then learns it. `alone`: false when only its entity's line is asked.
  MetricScore step(double value, bool alone = true);

  /// The stretch of ordinary levels nearest to a value, before that value is learnt: what lies
  /// outside by its level alone would pass the alarm line, once there are points enough to tell.
  /// None while learning. About 1 µs.
  [[nodiscard]] std::optional<Range> expected(double value) const;
  /// The same of the last point.
  [[nodiscard]] std::optional<Range> expected() const;

  /// A level that was seen lately, or nothing to judge yet. A few ns.
  [[nodiscard]] bool is_ordinary(double value) const;

  /// Points are missing for a while: means do not reach over the gap, and what was said before it
  /// holds nothing back.
  void interrupt();

  /// Points seen, missing ones not counted.
  [[nodiscard]] std::uint32_t points() const { return ready_ ? points_ : warm_count_; }
  /// How far novelty is believed, 0 to 1: grows with the points seen.
  [[nodiscard]] double trust() const;
  [[nodiscard]] static constexpr std::size_t memory_bytes() { return sizeof(MetricDetector); }
  /// How long belief grows, in points: what warm-up and hold are measured in.
  [[nodiscard]] static float belief_points(std::uint32_t points);

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;

  static const Constants kDefaults;
  static constexpr std::uint32_t kWarmUp = 64;

 private:
  enum Axis : std::size_t { kValue, kMean, kDeviation, kAxes };
  static constexpr std::uint32_t kBlock = 7;
  static constexpr int kFewLevels = 3;

  [[nodiscard]] Occupancy axis(Axis which) {
    return Occupancy(std::span<std::uint64_t, Occupancy::kWords>(
        cells_.data() + which * Occupancy::kWords, Occupancy::kWords));
  }
  [[nodiscard]] double curvature() const;
  [[nodiscard]] int value_cell(double z) const;
  [[nodiscard]] bool knows_few_levels();
  MetricScore warm_up(double value);
  void begin();
  void learn_warm_up(double first);
  void score_and_learn(double value, MetricScore& out);
  void discount_spacing(std::uint32_t points, Occupancy::Gaps& gaps) const;
  Occupancy::Gaps look(Axis which, int cell);
  void emit(MetricScore& out);
  void grow_range(double value);
  void retarget(double low, double range, double curvature_before);
  void confine_means();
  [[nodiscard]] bool is_sane() const;
  /// How far from its nearest level, in cells, a value would pass the alarm line.
  [[nodiscard]] int alarm_distance() const;
  [[nodiscard]] double discounted(double raw) const;
  [[nodiscard]] std::optional<Range> expected_near(int cell) const;

  const Constants* constants_;
  /// The axes' levels; before the warm-up ends, its points (as floats).
  std::array<std::uint64_t, kAxes * Occupancy::kWords> cells_{};
  AlarmLine line_;
  double low_ = 0, range_ = 1;
  double slow_mean_ = 0;  ///< of the deviation axis
  double entity_mean_ = 0, entity_variance_ = 0;
  double block_sum_ = 0;
  std::array<double, 4> blocks_{};
  float history_ = 0;  ///< decayed mean square of novelty
  Hold hold_;
  std::uint32_t points_ = 0;
  std::uint32_t short_age_ = 0, long_age_ = 0;
  std::uint32_t block_count_ = 0, blocks_seen_ = 0;
  int last_cell_ = 0;
  std::uint8_t warm_count_ = 0;
  bool ready_ = false, declared_ = false;
  std::uint8_t axes_seen_ = 0;  ///< a bit each
};

}  // namespace liminal::novelty
