#pragma once

namespace liminal::learn {

/// The z that a standard normal variable exceeds with `probability`, in (0, .5]; to 1e-9.
///
/// Source: Newton's method on the tail by Mills' ratio as a continued fraction (Laplace).
[[nodiscard]] double normal_tail_quantile(double probability);

/// The t that Student's variable with so many degrees of freedom exceeds with `probability`, in
/// (0, .5]; infinite below three degrees, the normal one for infinitely many, else to 1 % at .025,
/// to 3 % at .0005.
///
/// Source: Abramowitz and Stegun 1964, 26.7.5, three terms.
[[nodiscard]] double student_tail_quantile(double probability, double degrees);

/// The t that Student's variable with so many degrees of freedom exceeds as often as a normal one
/// exceeds `z`, 0 or more; infinite below three degrees. As exact as `student_tail_quantile`.
[[nodiscard]] double student_alike(double z, double degrees);

}  // namespace liminal::learn
