#pragma once

namespace liminal::learn {

/// The z that a standard normal variable exceeds with `probability`, in (0, .5]; to 1e-9.
///
/// Source: Newton's method on the tail by Mills' ratio as a continued fraction (Laplace).
[[nodiscard]] double normal_tail_quantile(double probability);

/// The normal quantile of .8, the power that samples are planned for.
inline constexpr double kPlannedPower = .8416212;

/// The t that Student's variable with so many degrees of freedom exceeds with `probability`, in
/// (0, .5]; infinite below three degrees, the normal one for infinitely many, else to 1 % at .025,
/// to 3 % at .0005.
///
/// Source: Abramowitz and Stegun 1964, 26.7.5, three terms.
[[nodiscard]] double student_tail_quantile(double probability, double degrees);

/// The t that Student's variable with so many degrees of freedom exceeds as often as a normal one
/// exceeds `z`, 0 or more; infinite below three degrees. Up to 3 as exact as
/// `student_tail_quantile`; beyond that never too low, and too high by up to 6 % at 6 of eight
/// degrees and at 8 of eleven.
///
/// Source: as above; beyond 3 Wallace 1959.
[[nodiscard]] double student_alike(double z, double degrees);

}  // namespace liminal::learn
