#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"

namespace liminal::limits {

/// How much slower than configured a rate runs, in 1/1024 of the configured period: 1024 is as
/// configured, 2048 half the rate. An integer, so that a verdict never depends on rounding.
using Pace = std::uint32_t;
inline constexpr Pace kNormalPace = 1024;
/// Nobody is slowed down or sped up by more than this factor.
inline constexpr std::uint32_t kPaceRange = 64;

/// The longest burst, as time at the configured rate: with a pace of 64 times and a resolution of
/// 1/1024 it still fits 63 bits.
inline constexpr Duration kAllowanceMax = std::chrono::hours{24};

/// Times that limits are told: from 1970 to 2116. Sums with an allowance stay far from overflow.
inline constexpr SteadyTime kTimeMax{Duration{std::int64_t{1} << 62}};

/// A rate with a burst, shared by all who are limited alike.
struct GcraPolicy {
  /// What `2^shift` units use up; zero: no limit. A hundred messages a minute: 600 ms.
  Duration period{};
  /// Units that may come at once after a pause, ≥ 1.
  std::uint32_t burst = 1;
  /// 0 for messages; 10 for bytes, whose period is that of 1 KiB, so that a rate of 1 GB/s is still
  /// exact to .05 %.
  std::uint8_t shift = 0;

  /// `per_second` in [1e-5, 1e9] (bytes: [1, 1e9]), or 0 for no limit; `burst` at most what the
  /// rate allows in a day. The period is rounded to a nanosecond.
  [[nodiscard]] static GcraPolicy messages(double per_second, std::uint32_t burst);
  [[nodiscard]] static GcraPolicy bytes(double per_second, std::uint32_t burst);

  [[nodiscard]] bool unlimited() const { return period == Duration::zero(); }

  /// What `cost` ≤ `burst` units use up, rounded up to a nanosecond; exact when `shift` is 0.
  [[nodiscard]] Duration time_of(std::uint32_t cost) const {
    const std::int64_t scale = std::int64_t{1} << shift;
    return Duration{(period.count() * cost + scale - 1) >> shift};
  }
  [[nodiscard]] Duration allowance() const { return time_of(burst); }

  /// The same policy for who is slowed down or sped up; rounded up to a nanosecond of the period.
  [[nodiscard]] GcraPolicy at(Pace pace) const {
    static_assert(kNormalPace == 1U << 10);
    return {.period = Duration{(period.count() * pace + kNormalPace - 1) >> 10},
            .burst = burst,
            .shift = shift};
  }

  [[nodiscard]] double per_second() const;
  friend bool operator==(const GcraPolicy&, const GcraPolicy&) = default;
};

struct GcraVerdict {
  bool allowed = false;
  /// Zero when allowed; else the exact time after which the same event would be. `Duration::max()`
  /// when it never would be, because its cost exceeds the burst.
  Duration retry_after{};
};

/// Limits one user, address or connection by one policy, without timer or queue.
///
/// Guarantees, for events that `take` decides on, in terms of `time_of` (for messages: exactly
/// cost × period): in any interval of length T the allowed ones' times sum to at most
/// T + allowance; an event that keeps to that is never refused; time that stands still or goes back
/// neither grants nor costs anything, and a jump forward grants one burst and no more.
///
/// Memory: 8 bytes. Cost: a few nanoseconds (`gcra_bench.cpp`). Not thread-safe: owned by a shard.
///
/// Source: ITU-T I.371 (2004), annex A, the virtual scheduling algorithm. Deviations: an event may
/// cost more than one unit, a refusal says when to come back, and the rate may change on the way.
class Gcra {
 public:
  /// How long an event would have to wait for the allowance; zero: it keeps to the policy, which
  /// must be valid; `Duration::max()`: it never will. Counts nothing. `now` below `kTimeMax`.
  [[nodiscard]] Duration excess(const GcraPolicy& policy,
                                SteadyTime now,
                                std::uint32_t cost = 1) const {
    if (policy.unlimited()) return Duration::zero();
    if (cost > policy.burst) return Duration::max();
    const Duration debt = std::max(now, whole_at_) - now;
    return std::max(Duration::zero(), debt + policy.time_of(cost) - policy.allowance());
  }

  /// Counts an event, whether it keeps to the policy or not; `cost` ≤ `burst`.
  void charge(const GcraPolicy& policy, SteadyTime now, std::uint32_t cost = 1) {
    if (!policy.unlimited()) whole_at_ = std::max(now, whole_at_) + policy.time_of(cost);
  }

  /// Decides on an event and, when it is allowed, counts it.
  [[nodiscard]] GcraVerdict take(const GcraPolicy& policy, SteadyTime now, std::uint32_t cost = 1) {
    const Duration wait = excess(policy, now, cost);
    if (wait > Duration::zero()) return {.allowed = false, .retry_after = wait};
    charge(policy, now, cost);
    return {.allowed = true, .retry_after = Duration::zero()};
  }

  /// Counts what was used elsewhere, of any cost; the debt is held to `kDebtMax`.
  void charge_any(const GcraPolicy& policy, SteadyTime now, std::uint64_t cost);

  /// Goes over from one rate to another at `now`: what is used up stays the same in units, rounded
  /// up by less than a nanosecond's worth, so that no change of rate grants a fresh burst.
  void change_rate(Duration period_before, Duration period_after, SteadyTime now);

  /// Nothing is used up: forgetting this state changes no verdict from `now` on.
  [[nodiscard]] bool whole(SteadyTime now) const { return whole_at_ <= now; }

  void save(Writer& out) const { out.put(nanoseconds(whole_at_)); }
  /// Fails the reader on a time that is out of range.
  [[nodiscard]] static Gcra load(Reader& in);

  friend bool operator==(const Gcra&, const Gcra&) = default;

 private:
  /// When the allowance will be whole again: the "theoretical arrival time" of the source.
  SteadyTime whole_at_{};
};

/// No debt grows beyond what a full burst at the slowest pace is.
inline constexpr Duration kDebtMax = kAllowanceMax * kPaceRange;

}  // namespace liminal::limits
