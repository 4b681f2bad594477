#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/base/codec.hpp"
#include "core/stats/bucket_ring.hpp"

namespace liminal::stats {

/// The share of trials that hit, over a sliding window of `kWhole` buckets.
///
/// Guarantee: both counts are as exact as `BucketRing`'s. Of more than 65,535 trials in one bucket
/// the further ones are not looked at.
///
/// Memory: 4 · (kWhole + 1). Cost: `add` O(1), `ratio` O(kWhole).
template <std::size_t kWhole>
class RatioWindow {
 public:
  static constexpr std::size_t kBuckets = kWhole + 1;

  void add(bool hit) {
    if (trials_[0] == std::numeric_limits<std::uint16_t>::max()) return;
    trials_.add(1);
    if (hit) hits_.add(1);
  }

  void advance(std::uint64_t buckets) {
    trials_.advance(buckets);
    hits_.advance(buckets);
  }

  /// 0 without any trial.
  [[nodiscard]] double ratio(WindowPosition at) const {
    const double trials = trials_.sum(at);
    return trials > 0 ? std::min(hits_.sum(at) / trials, 1.) : 0;
  }

  void clear() { *this = {}; }

  void save(Writer& out) const {
    trials_.save(out);
    hits_.save(out);
  }

  void load(Reader& in) {
    trials_.load(in);
    hits_.load(in);
    for (std::size_t age = 0; age < kBuckets; ++age) {
      if (hits_[age] > trials_[age]) in.fail();
    }
  }

 private:
  BucketRing<std::uint16_t, kWhole> trials_, hits_;
};

}  // namespace liminal::stats
