#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace liminal {

using std::sqrt;  // correctly rounded by IEEE 754, so the same everywhere

/// e^x with a relative error below 4e-16, the same bits on every compiler and CPU (libm's are not).
/// NaN gives NaN; above 709.78 infinity; below -708 zero (no subnormal results). About 3 ns.
///
/// Source: range reduction to |r| ≤ ln 2 / 2 (Cody and Waite), then the Taylor polynomial.
[[nodiscard]] constexpr double exp(double x) {
  if (!(x <= 709.78)) return x > 0 ? std::numeric_limits<double>::infinity() : x;
  if (x < -708) return 0;
  constexpr double kLog2E = 1.4426950408889634074;
  constexpr double kLn2High = 6.93147180369123816490e-01;
  constexpr double kLn2Low = 1.90821492927058770002e-10;
  const auto k = static_cast<std::int64_t>(x * kLog2E + (x < 0 ? -.5 : .5));
  const auto kd = static_cast<double>(k);
  const double r = (x - kd * kLn2High) - kd * kLn2Low;
  double p = 1. / 6227020800.;
  p = p * r + 1. / 479001600.;
  p = p * r + 1. / 39916800.;
  p = p * r + 1. / 3628800.;
  p = p * r + 1. / 362880.;
  p = p * r + 1. / 40320.;
  p = p * r + 1. / 5040.;
  p = p * r + 1. / 720.;
  p = p * r + 1. / 120.;
  p = p * r + 1. / 24.;
  p = p * r + 1. / 6.;
  p = p * r + .5;
  p = p * r + 1.;
  p = p * r + 1.;
  // 2^1024 has no exponent of its own: two steps.
  const std::int64_t half = k / 2;
  const auto power = [](std::int64_t e) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(e + 1023) << 52);
  };
  return p * power(half) * power(k - half);
}

/// The natural logarithm with a relative error below 1e-15 (absolute near 1), the same bits on
/// every compiler and CPU. Zero gives minus infinity, negative numbers and NaN give NaN. About 4
/// ns.
///
/// Source: log m = 2 artanh((m-1)/(m+1)) for m in [sqrt(1/2), sqrt(2)), by its series.
[[nodiscard]] constexpr double log(double x) {
  if (!(x > 0)) {
    return x == 0 ? -std::numeric_limits<double>::infinity()
                  : std::numeric_limits<double>::quiet_NaN();
  }
  if (x == std::numeric_limits<double>::infinity()) return x;
  std::int64_t exponent = 0;
  if (x < std::numeric_limits<double>::min()) {  // subnormal
    x *= 0x1p54;
    exponent = -54;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  // The bits of sqrt(1/2) are taken away, so that the exponent of what is left counts from there.
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdULL;
  const auto shifted = static_cast<std::int64_t>(bits - kSqrtHalf) >> 52;
  const auto e = static_cast<double>(exponent + shifted);
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(shifted) << 52));
  const double f = m - 1;
  const double s = f / (m + 1);
  const double z = s * s;
  double p = 1. / 19;
  p = p * z + 1. / 17;
  p = p * z + 1. / 15;
  p = p * z + 1. / 13;
  p = p * z + 1. / 11;
  p = p * z + 1. / 9;
  p = p * z + 1. / 7;
  p = p * z + 1. / 5;
  p = p * z + 1. / 3;
  constexpr double kLn2High = 6.93147180369123816490e-01;
  constexpr double kLn2Low = 1.90821492927058770002e-10;
  return e * kLn2High + (2 * s + (2 * s * z * p + e * kLn2Low));
}

/// log(1 + x), also for small x.
[[nodiscard]] constexpr double log1p(double x) {
  const double y = 1 + x;
  // What rounding 1 + x lost, put back to first order (Kahan).
  return y == 1 ? x : log(y) * (x / (y - 1));
}

}  // namespace liminal
