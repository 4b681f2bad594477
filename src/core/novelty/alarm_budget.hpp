#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::novelty {

/// Moves a series' alarm line to where it gives the number of alarms a week that its owner wants,
/// calibrated against what was observed: the scores that were emitted are counted, in bins of half
/// an octave, and the line is the lowest one that would have given no more than the budget.
///
/// Until there is something observed, the line is 1; a prior worth one week says so, and that four
/// times the line gives 62 % of the alarms (measured). What was observed is forgotten over eight
/// weeks. The line stays within 1/16 and 256.
///
/// Memory: 112 bytes. Cost: a few ns a point, 50 ns when something is emitted.
class AlarmBudget {
 public:
  /// Counts what a series emitted (a score, or 0) at a point that stands for so much time.
  void learn(double emitted, double weeks);

  /// The line for a budget > 0.
  [[nodiscard]] double line(double alarms_per_week) const;

  /// How many emissions a week were at or above a line, of those that are remembered: to half an
  /// octave of the line, which is exact for 1 and for what `line` gives. 0 before anything was
  /// observed.
  [[nodiscard]] double observed(double line) const;

  /// Weeks observed, decayed.
  [[nodiscard]] double weeks() const { return static_cast<double>(weeks_); }

  void save(Writer& out) const;
  /// What makes no sense fails `in`.
  void load(Reader& in);

 private:
  static constexpr int kBins = 24;
  std::array<float, kBins> counts_{};
  float weeks_ = 0;
  float undecayed_ = 0;  ///< weeks since the counts were last decayed
};

}  // namespace liminal::novelty
