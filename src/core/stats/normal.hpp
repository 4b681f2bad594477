#pragma once

namespace liminal::stats {

/// The probability that a standard normal variable is below x; error below 1e-7.
/// Source: Abramowitz and Stegun, 26.2.17.
[[nodiscard]] double normal_below(double x);

}  // namespace liminal::stats
