#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/base/codec.hpp"

namespace liminal::scaling {

/// A straight line through what minutes measured at their loads, which a few wrong ones do not move
/// and whose past fades.
///
/// Minutes are gathered by their load, a quarter of an octave each, with their moments: how many
/// there are at one load, and how far away it lies, bounds what they can do to the rest. In a
/// level, what is beyond four standard deviations counts as that; between levels, the line begins
/// as the median of slopes and is refined by weights that fall with how far a level lies off it.
/// Levels of few minutes, and those far beyond the loads that requests usually meet, are not what
/// it is made of: they may show that it ends earlier, never later, since a minute of which a part
/// was beyond the end looks as one that could take more. Its errors hold the levels' own deviations
/// from a line (lack of fit) beside the minutes' noise.
///
/// A bound says on which side of it the line runs, and nothing while it does.
///
/// Cost: 0.1 µs a minute, some µs a fit. Memory: 3.3 KB.
///
/// Source: Theil–Sen estimator; iterated weights of Cauchy and Huber (Maronna et al., "Robust
/// Statistics", 2006, ch. 4–5); levels as studies of a meta-analysis with random effects
/// (DerSimonian and Laird, 1986), but with a median.
class LoadLine {
 public:
  /// What of a measure is known beforehand.
  struct Law {
    /// Errors are in proportion to what is measured.
    bool relative_noise = false;
    /// It falls with the load, down to 0 where the line ends, and a bound is a ceiling; else it
    /// rises and a bound is a floor.
    bool falls = false;
  };

  LoadLine() = default;
  explicit LoadLine(Law law) : law_(law) {}

  void add(double load, double value);
  /// The line leads at least (if it falls: at most) there.
  void add_bound(double load, double value);
  void decay(double factor);

  struct Fit {
    double intercept = 0, slope = 0;
    double slope_error = std::numeric_limits<double>::infinity();  ///< standard error
    std::size_t levels = 0;  ///< that said so; the lack of fit of fewer than three is not known
    [[nodiscard]] double at(double load) const { return intercept + slope * load; }
    /// Standard error of what a level there would measure.
    [[nodiscard]] double error_at(double load) const;

    double centre = 0, centre_variance = std::numeric_limits<double>::infinity(),
           misfit_variance = 0;
  };
  /// None below three points, or when the usual load does not vary (by at least `spread_min` of its
  /// mean).
  [[nodiscard]] std::optional<Fit> fit(double spread_min) const;
  /// The same through the origin: the median of the usual levels. 0 without points.
  [[nodiscard]] double proportional() const;
  [[nodiscard]] double mean() const;  ///< of the values; 0 without points

  [[nodiscard]] double points() const;  ///< faded number of what was added
  [[nodiscard]] double bounds() const;  ///< and of bounds
  /// The load below which a tenth of the bounds lies.
  [[nodiscard]] double low_bound() const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  /// What a line without levels knew, the sums of its weighted points. It counts as an hour.
  void begin_with(const std::array<double, 7>& sums);

 private:
  static constexpr std::size_t kLevels =
      64;  ///< of a quarter of an octave each: a factor of 65,536

  /// Means and centred sums.
  struct Moments {
    float weight = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    void add(double load, double value, bool relative);
    void decay(float factor);
    void merge(const Moments& other);
  };
  struct Level {
    std::int32_t key = 0;
    Moments points, bounds;
  };
  [[nodiscard]] Level& level(double load);

  Law law_{};
  std::array<Level, kLevels> levels_{};  ///< of key k at k mod size
};

}  // namespace liminal::scaling
