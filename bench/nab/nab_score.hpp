#pragma once

#include <cstddef>
#include <span>

namespace nab {

/// The rows of an anomaly, both included.
struct Window {
  std::size_t first, last;
};

/// Costs of a profile; a true positive is worth 1 in all of them.
struct Profile {
  const char* name;
  double false_positive, false_negative;
};
inline constexpr Profile kProfiles[] = {
    {"standard", .11, 1}, {"low FP", .22, 1}, {"low FN", .11, 2}};

/// What a detection is worth by where it lies: −1 is a window's first row, 0 just behind its last;
/// beyond 0 in widths of the window behind it. From 1 down to −1.
[[nodiscard]] double scaled_sigmoid(double position);

/// Rows at the beginning that are not scored: 15 % of a series, at most 750.
[[nodiscard]] std::size_t probation(std::size_t rows);

/// The sum of what the detections (scores at or above the threshold) of one series are worth. In
/// each window the first one counts, by its place; one outside of windows costs, less when it is
/// near behind a window; and so does each window without any.
///
/// Source: Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms – the Numenta
/// Anomaly Benchmark", ICMLA 2015, section III, and the scorer published with version 1.1.
/// @param windows  in order, apart from each other
[[nodiscard]] double score_series(std::span<const double> scores,
                                  std::span<const Window> windows,
                                  double threshold,
                                  const Profile& profile);

/// The total over all series on the scale of 0 (who says nothing) to 100 (who says all at once, and
/// nothing else).
[[nodiscard]] double normalized(double total, std::size_t windows, const Profile& profile);

}  // namespace nab
