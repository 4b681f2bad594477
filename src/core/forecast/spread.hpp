#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::forecast {

/// One step of one path of the back-test: what was said, and what came.
struct Residual {
  std::uint32_t step = 0;   ///< of the horizon, from 0
  std::uint64_t place = 0;  ///< absolute number of the point
  double forecast = 0;
  double actual = 0;
  double weight = 1;  ///< by the age of its origin
};

/// How far what comes may lie from a forecast, learnt from a back-test.
///
/// u = (y − f)/scale(f), where errors grow with what is forecast: scale(f) = max(f, .02)^.85. That
/// fails where what comes has little to do with what was forecast: a burst out of nothing would be
/// thousands of units, for which every larger forecast would pay. So there are two more scales, of
/// errors that stop growing below half the mean level and of errors that never grow, and the one
/// with the lowest interval score on the back-test counts if it is a fifth lower than the first's.
/// Where values are negative errors never grow.
///
/// The size of u grows along the horizon by g(h) = .7 · smoothed u² + .3 · a line, and with the
/// hour of the day by v. What is left, u/s with s = √(g·v), gives the quantiles of each side: .75
/// of its own and .25 of both sides together, all 1.1 times as wide, and wider when the back-test
/// was short, by Student's factor where few of its errors are independent: those of paths of a
/// wandering series that overlap are not.
///
/// Guarantee: quantiles rise with their level, and are finite.
/// Memory: 4 numbers a residual kept, at most 1,280 of them.
/// Source: our own study (docs/benchmarks.md).
class Spread {
 public:
  /// @param horizon  steps that may be asked
  /// @param day      the season of v; 0 for none
  /// @param cuts     refits in the back-test: fewer than four widen
  void fit(std::vector<Residual> residuals,
           std::uint32_t horizon,
           std::uint32_t day,
           std::uint32_t cuts,
           bool non_negative);

  /// The value that is exceeded with probability 1 − level, for the forecast of a step.
  /// @param level  in (0, 1)
  [[nodiscard]] double quantile(double level,
                                double forecast,
                                std::uint32_t step,
                                std::uint64_t place) const;

  [[nodiscard]] std::size_t steps() const { return growth_.size(); }

  void save(Writer& out) const;
  /// `floored`: it was saved with its scale's floor, as `save` does now.
  void load(Reader& in, bool floored = true);

 private:
  /// What errors are measured in, by the forecast: max(f, floor)^gamma.
  struct Scale {
    double gamma = .85;
    double floor = .02;  ///< of the mean level: the scale never vanishes
    [[nodiscard]] double of(double forecast) const;
  };
  static constexpr Scale kRelative{.85, .02}, kLifted{.85, .5}, kAbsolute{0, 1};

  struct Sample {
    double value = 0;
    double below = 0;  ///< share of the weight at or below
  };
  using Samples = std::vector<Sample>;

  /// With the errors of the scale that the back-test bears out.
  void choose_scale(std::span<const Residual> residuals,
                    std::uint32_t horizon,
                    std::uint32_t day,
                    bool non_negative);
  /// As how many independent errors the back-test counts: those of one path of a walk are one.
  [[nodiscard]] double independent_errors(std::span<const Residual> residuals) const;
  void fit_errors(std::span<const Residual> residuals, std::uint32_t horizon, std::uint32_t day);
  /// What it would have cost to say these intervals.
  [[nodiscard]] double interval_score(std::span<const Residual> residuals) const;
  void fit_growth(std::span<const Residual> residuals,
                  std::span<const double> squares,
                  std::uint32_t horizon);
  void fit_day(std::span<const Residual> residuals,
               std::span<const double> squares,
               std::uint32_t day);
  /// How far from the forecast a quantile lies, to its own side, in units of size and scale.
  [[nodiscard]] double reach(double level) const;
  [[nodiscard]] double size(std::uint32_t step, std::uint64_t place) const;
  static Samples sorted(std::vector<Sample> weighted);
  static double at(const Samples& samples, double level);

  Scale scale_;
  double width_ = 1.1;
  std::vector<double> growth_;    ///< g, by step
  std::vector<double> day_;       ///< v, by place of the day; empty for 1
  Samples above_, below_, both_;  ///< of u/s, −u/s and |u/s|
};

}  // namespace liminal::forecast
