#pragma once

#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// Mean and variance of all that was added, in one pass and without cancellation. Two of them merge
/// into what one over both would be (up to rounding).
///
/// Memory: 24 bytes. Cost: `add` one division.
///
/// Source: Welford 1962; merge: Chan, Golub, LeVeque 1979, equation 2.1.
class Moments {
 public:
  /// `x` must be finite.
  void add(double x);
  void merge(const Moments& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean() const { return mean_; }  ///< 0 when empty
  /// Of the population (divided by n); 0 when empty.
  [[nodiscard]] double variance() const {
    return count_ == 0 ? 0 : squares_ / static_cast<double>(count_);
  }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  ///< of the deviations from the mean
};

}  // namespace liminal::stats
