#pragma once

#include <cstdint>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal {

/// The upper half of a 128-bit product.
[[nodiscard]] constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a_low = a & 0xffffffffU, a_high = a >> 32;
  const std::uint64_t b_low = b & 0xffffffffU, b_high = b >> 32;
  const std::uint64_t middle = a_high * b_low + ((a_low * b_low) >> 32);
  const std::uint64_t rest = a_low * b_high + (middle & 0xffffffffU);
  return a_high * b_high + (middle >> 32) + (rest >> 32);
}

/// Random numbers from a seed, the same everywhere: for generators, tests and training, never for
/// an answer. SplitMix64: 2^64 period, one multiplication chain a number.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(mix64(seed)) {}

  constexpr std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15ULL;
    return mix64(state_);
  }

  /// In [0, 1).
  constexpr double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// In [low, high).
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// In [0, bound), `bound` ≥ 1; the bias is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) { return multiply_high(bits(), bound); }

  constexpr bool chance(double probability) { return uniform() < probability; }

  /// With mean 1.
  double exponential() { return -log(1 - uniform()); }

  /// With mean 0 and deviation 1 (Box and Muller's polar form).
  double normal();

 private:
  std::uint64_t state_;
};

}  // namespace liminal
