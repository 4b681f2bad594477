#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace liminal::api {

/// The rate of a growing total over the last seconds. Memory: six moments.
class RecentRate {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The total at a time; about once a second.
  void observe(Time at, std::uint64_t total) {
    moments_.push_back({at, total});
    if (moments_.size() > kMomentsMax) moments_.pop_front();
  }

  /// A second, over the five or six seconds before `now`, or since the first total when that is
  /// less; 0 until half a second has passed, and when the total shrank.
  [[nodiscard]] double per_second(Time now, std::uint64_t total) const {
    if (moments_.empty()) return 0;
    const Moment& before = moments_.front();
    const double elapsed = std::chrono::duration<double>(now - before.at).count();
    if (elapsed < kElapsedMin || total < before.total) return 0;
    return static_cast<double>(total - before.total) / elapsed;
  }

 private:
  struct Moment {
    Time at;
    std::uint64_t total = 0;
  };
  static constexpr std::size_t kMomentsMax = 6;
  /// Seconds: over less a handful of events would look like a flood.
  static constexpr double kElapsedMin = 0.5;

  std::deque<Moment> moments_;  ///< oldest first
};

}  // namespace liminal::api
