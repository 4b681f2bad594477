#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::scaling {

/// One service's load, minute by minute, for a week, and what can be seen in it at its last minute
/// of the highest load in the next `horizon` minutes.
///
/// ℓ = ln(load / unit + 1); L is its fast mean (gain 1/3), the level that everything is told
/// relative to; the peak of a minute is the largest ℓ of the `horizon` minutes after it, known that
/// much later. A minute may be missing: it has no level and no peak, and a feature that would need
/// it is 0; a peak needs half of its minutes.
///
/// The unit is a hundredth of the usual load (the geometric mean over a week of the minutes that
/// had any), so that it does not matter in what unit and per what time loads are told. It is chosen
/// anew, and the history told in it, when it has come to be wrong by a factor of four.
///
/// Cost: about 0.3 µs a minute, 2 ms when the unit changes. Memory: 12 bytes a minute seen, at most
/// 121 KB, and 6 KB.
///
/// Source: our own study (docs/benchmarks.md has method and figures).
class LoadHistory {
 public:
  static constexpr std::uint32_t kDay = 1440;
  static constexpr std::uint32_t kWeek = 7 * kDay;
  static constexpr std::size_t kFeatures = 45;
  using Features = std::array<float, kFeatures>;

  /// `horizon` in minutes, 1 to 240.
  explicit LoadHistory(std::uint32_t horizon);

  /// The next minute; `minute` counts from the epoch and is the last one's plus one.
  void push(std::int64_t minute, std::optional<double> load);

  /// What foretells the peak of the next minutes over L, told at the last minute, which must be
  /// known. The first is 1.
  [[nodiscard]] Features features() const;
  /// Those features of a row that keep their sign when the size of an error is foretold.
  [[nodiscard]] static constexpr bool keeps_sign(std::size_t feature) {
    return feature < 8 || feature >= kFeatures - 2;
  }

  /// Peak over level of the minute `horizon` ago, known now for the first time.
  [[nodiscard]] std::optional<double> growth_learnt() const { return growth_learnt_; }

  /// Minutes seen, missing ones included.
  [[nodiscard]] std::uint64_t minutes() const { return count_; }
  [[nodiscard]] std::uint64_t known_minutes() const { return known_; }
  [[nodiscard]] std::int64_t last_minute() const { return last_minute_; }
  [[nodiscard]] std::uint32_t horizon() const { return horizon_; }
  /// What ℓ counts loads in; 0 until there was any.
  [[nodiscard]] double unit() const { return unit_; }
  /// Less of a load is as good as none: a hundredth of the usual.
  [[nodiscard]] double load_min() const { return unit_; }
  /// ℓ of a load, and the other way round.
  [[nodiscard]] double log_of(double load) const;
  [[nodiscard]] double load_of(double log_load) const;
  /// The smoothed ℓ.
  [[nodiscard]] double level() const { return means_[0]; }
  /// Running mean of e^L over a week, in units.
  [[nodiscard]] double mean_load() const { return mean_load_; }
  /// The highest load of the last week, to the hour.
  [[nodiscard]] double highest_load() const;
  /// The load `ago` minutes before the last, within the week.
  [[nodiscard]] std::optional<double> load_before(std::uint32_t ago) const;

  [[nodiscard]] std::size_t memory_bytes() const;
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  struct Minute {
    float log_load, level, peak;  ///< NaN: not known
  };
  static constexpr std::size_t kCapacity = kWeek + 1;
  static constexpr std::size_t kHours = 168;

  [[nodiscard]] const Minute* before(std::uint64_t ago) const;
  [[nodiscard]] Minute* before(std::uint64_t ago) {
    return const_cast<Minute*>(std::as_const(*this).before(ago));
  }
  void choose_unit(double load);
  void tell_in(double unit);
  [[nodiscard]] std::optional<double> highest_since(std::uint64_t ago) const;
  void learn_peak(std::int64_t minute);
  void learn_clock(std::int64_t minute, double growth);
  void add_lags(Features& out) const;

  std::uint32_t horizon_;
  std::uint64_t count_ = 0, known_ = 0;
  std::int64_t last_minute_ = 0;
  double unit_ = 0;
  double usual_ = 0;          ///< running mean of ln load
  std::uint64_t loaded_ = 0;  ///< minutes that it is of
  std::vector<Minute> ring_;  ///< of minute number n at n mod capacity; grows up to its capacity
  std::array<double, 4> means_{};
  double mean_load_ = 0;
  std::optional<double> growth_learnt_;
  std::array<float, 60> by_minute_of_hour_{};
  std::array<float, kDay> by_minute_of_day_{};
  std::array<float, kHours> hour_max_{};  ///< highest ℓ of an hour; 0 when unknown
  std::int64_t hour_ = 0;
};

}  // namespace liminal::scaling
