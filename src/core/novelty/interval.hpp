#pragma once

#include <algorithm>
#include <cmath>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"

namespace liminal::novelty {

/// Seconds from one time to a later one; 0 when it is not later.
[[nodiscard]] inline double seconds_between(EventTime earlier, EventTime later) {
  if (later <= earlier) return 0;
  // As unsigned, because times from outside may lie further apart than a signed number holds.
  const auto apart = static_cast<std::uint64_t>(later.time_since_epoch().count()) -
                     static_cast<std::uint64_t>(earlier.time_since_epoch().count());
  return static_cast<double>(apart) * 1e-9;
}

/// How far apart points usually come, and so which time between two of them was observed. Times are
/// seconds since the last point, ≥ 0; 0 is no time.
class Interval {
 public:
  /// More than twenty usual ones: nobody looked.
  [[nodiscard]] bool is_gap(double elapsed) const { return usual() > 0 && elapsed > 20 * usual(); }

  /// How much of it was observed, in weeks: no more than ten usual intervals.
  [[nodiscard]] double observed_weeks(double elapsed) const {
    constexpr double kWeekSeconds = 7 * 86'400;
    return std::min(elapsed, 10 * usual()) / kWeekSeconds;
  }

  /// Moves the usual interval by a twentieth of the difference; by nothing in a gap.
  void learn(double elapsed) {
    if (!(elapsed > 0) || is_gap(elapsed)) return;
    usual_s_ += static_cast<float>(usual() > 0 ? .05 * (elapsed - usual()) : elapsed);
  }

  /// The same, and of a gap as from twenty: what comes in bursts has its pauses counted in the end.
  void learn_bursts(double elapsed) { learn(is_gap(elapsed) ? 20 * usual() : elapsed); }

  void save(Writer& out) const { out.put(usual_s_); }
  /// What makes no sense fails `in`.
  void load(Reader& in) {
    in.get(usual_s_);
    if (!(usual_s_ >= 0 && std::isfinite(usual_s_))) in.fail();
  }

 private:
  [[nodiscard]] double usual() const { return static_cast<double>(usual_s_); }
  float usual_s_ = 0;
};

}  // namespace liminal::novelty
