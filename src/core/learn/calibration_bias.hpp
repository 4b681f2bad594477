#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace liminal::learn {

/// How far probabilities are off on average, in parts of how often positives came: .5 says that
/// half as many again were foretold. With the interval in which that lies by so many users.
struct CalibrationBias {
  double ratio = 0;  ///< Σp/Σy − 1; NaN without positives
  /// Of 95 %; infinite where the positives are of too few users to tell anything, which are fewer
  /// than seven alike.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  /// Users among whom the positive rows would be as uneven if each had the same number of them:
  /// (Σ n)²/Σ n². Rows where users are not known.
  double users = 0;

  [[nodiscard]] bool known() const { return high < std::numeric_limits<double>::infinity(); }
};

/// Rows of one user are alike: what is said of them is wrong together, so a hundred rows of five
/// abusers tell little more than five. So the interval holds those ratios r that a test of
/// Σ(p − (1 + r)·y) = 0 does not refuse at 5 %, with the variance of that sum from the users' own
/// sums, and Student's quantile of `users` − 1 degrees. It is not symmetric, and holds its level
/// where positives are few. `users` is one a row, or empty: each row is then one of its own.
/// Deterministic. Cost: n log n.
///
/// Source: Fieller 1954; sums by cluster as Liang and Zeger 1986, not centred; the degrees of
/// freedom by Kish's effective number, 1965, section 11.7.
[[nodiscard]] CalibrationBias calibration_bias(std::span<const float> probabilities,
                                               std::span<const float> labels,
                                               std::span<const std::uint64_t> users);

}  // namespace liminal::learn
