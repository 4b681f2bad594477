#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"

namespace liminal::stats {

/// Where a moment stands in a window that was last brought up to date at some earlier moment.
struct WindowPosition {
  std::uint64_t later = 0;  ///< buckets begun since then
  double elapsed = 0;       ///< share of the newest bucket that has passed, 0 ≤ elapsed < 1
};

/// Cuts the engine's time into buckets of one width, counted from the Unix epoch. Time before the
/// epoch belongs to its first moment.
struct BucketClock {
  Duration width;

  [[nodiscard]] constexpr std::uint64_t bucket(SteadyTime now) const {
    return unsigned_ns(now) / static_cast<std::uint64_t>(width.count());
  }

  [[nodiscard]] constexpr double elapsed(SteadyTime now) const {
    const auto ns = static_cast<std::uint64_t>(width.count());
    const std::uint64_t begin = unsigned_ns(now) / ns * ns;
    return static_cast<double>(static_cast<std::int64_t>(unsigned_ns(now) - begin)) *
           (1. / static_cast<double>(width.count()));
  }

  /// Of `now`, for what was last advanced in bucket `last`; an earlier `now` is the end of `last`'s
  /// beginning: nothing has passed.
  [[nodiscard]] constexpr WindowPosition position(std::uint64_t last, SteadyTime now) const {
    const std::uint64_t newest = bucket(now);
    if (newest < last) return {};
    return {newest - last, elapsed(now)};
  }

 private:
  static constexpr std::uint64_t unsigned_ns(SteadyTime now) {
    return now.time_since_epoch().count() < 0
               ? 0
               : static_cast<std::uint64_t>(now.time_since_epoch().count());
  }
};

/// Sums over a sliding window of `kWhole` buckets: the newest bucket, the whole ones before it and,
/// of the oldest, the share that is still inside the window.
///
/// Guarantee: `sum` differs from the exact sum over the window by at most what the oldest bucket
/// holds (nothing for what came in evenly); amounts added to one bucket saturate at the largest
/// `T`. The time is kept outside, so that many windows share one clock.
///
/// Memory: (kWhole + 1) · sizeof(T). Cost: `add` O(1), `sum` and `advance` O(kWhole).
template <class T, std::size_t kWhole>
requires std::is_arithmetic_v<T>
class BucketRing {
 public:
  static constexpr std::size_t kBuckets = kWhole + 1;

  void add(T amount) {
    if constexpr (std::unsigned_integral<T>) {
      const T room = static_cast<T>(std::numeric_limits<T>::max() - by_age_[0]);
      by_age_[0] = static_cast<T>(by_age_[0] + (amount < room ? amount : room));
    } else {
      by_age_[0] += amount;
    }
  }

  /// The bucket that began `age` buckets before the newest.
  [[nodiscard]] T operator[](std::size_t age) const { return by_age_[age]; }
  [[nodiscard]] T& operator[](std::size_t age) { return by_age_[age]; }

  /// Tells that so many new buckets have begun.
  void advance(std::uint64_t buckets) {
    if (buckets == 0) return;
    if (buckets >= kBuckets) return clear();
    const auto shift = static_cast<std::size_t>(buckets);
    for (std::size_t age = kBuckets; age-- > shift;) by_age_[age] = by_age_[age - shift];
    for (std::size_t age = 0; age < shift; ++age) by_age_[age] = T{};
  }

  [[nodiscard]] double sum(WindowPosition at) const {
    if (at.later > kWhole) return 0;
    const std::size_t oldest = kWhole - static_cast<std::size_t>(at.later);
    using Total = std::conditional_t<std::integral<T>, std::uint64_t, double>;
    Total total{};
    if (oldest == kWhole) {  // the hot path, with a fixed number of steps
      for (std::size_t age = 0; age < kBuckets; ++age) total += by_age_[age];
    } else {
      for (std::size_t age = 0; age <= oldest; ++age) total += by_age_[age];
    }
    if constexpr (std::integral<T>) {
      return static_cast<double>(static_cast<std::int64_t>(total)) -
             at.elapsed * static_cast<double>(by_age_[oldest]);
    } else {
      return total - at.elapsed * static_cast<double>(by_age_[oldest]);
    }
  }

  [[nodiscard]] bool empty() const {
    for (const T amount : by_age_) {
      if (amount != T{}) return false;
    }
    return true;
  }

  void clear() { by_age_ = {}; }

  void save(Writer& out) const {
    for (const T amount : by_age_) out.put(amount);
  }

  /// Refuses amounts that no sum has: negative, infinite or not a number.
  void load(Reader& in) {
    for (T& amount : by_age_) {
      in.get(amount);
      if constexpr (std::floating_point<T>) {
        if (!(amount >= 0 && amount <= std::numeric_limits<T>::max())) in.fail();
      }
    }
  }

 private:
  std::array<T, kBuckets> by_age_{};
};

}  // namespace liminal::stats
