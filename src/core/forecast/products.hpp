#pragma once

#include <cstddef>

namespace liminal::forecast {

/// The two loops in which a fit spends its time, over windows of one series: a lagged regression
/// never needs its matrix, only the series seen from different places.
///
/// The order of additions is fixed (four partial sums, by index modulo 4), whatever the width of
/// the registers, so that the bits are the same everywhere. Nothing has to be aligned.

/// Σ a[i]·b[i]: about half a cycle an element.
[[nodiscard]] double dot(const double* a, const double* b, std::size_t count);

/// Four products with the same left side: a is read once.
void dot4(const double* a, const double* const b[4], std::size_t count, double out[4]);

/// out[i] += factor · x[i].
void add_scaled(double* out, double factor, const double* x, std::size_t count);

/// out[i] = a[i] · b[i].
void multiply(double* out, const double* a, const double* b, std::size_t count);

}  // namespace liminal::forecast
