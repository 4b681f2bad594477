#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"

namespace liminal::sqlite {

/// Thins feature rows before they are stored: what learning needs is a sample, not a log.
///
/// Guarantees: in any interval of `user_interval` at most one row of a user is taken, in any second
/// at most `rows_per_second` rows in all. A user whose last row is older is taken as long as the
/// second has room, first come, first served. Time that goes back counts as standing still.
///
/// Memory: 16 bytes and one set node for each row of the last interval, so at most
/// `rows_per_second * user_interval` of them (10,000 by default, some 700 KB), however many users
/// there are. Cost: one lookup in a hash set. Not thread-safe.
class FeatureSampler {
 public:
  struct Options {
    Duration user_interval = std::chrono::seconds{10};
    std::uint32_t rows_per_second = 1000;
  };
  [[nodiscard]] static Problems validate(const Options& options);

  /// `options` must be valid.
  explicit FeatureSampler(const Options& options);

  /// Decides on a row of a user and, when it is taken, remembers it.
  [[nodiscard]] bool take(std::uint64_t user_hash, SteadyTime now);

  [[nodiscard]] std::uint64_t taken() const { return next_; }
  [[nodiscard]] std::uint64_t thinned() const { return thinned_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Taken {
    std::uint64_t user_hash;
    SteadyTime time;
  };
  [[nodiscard]] const Taken& at(std::uint64_t number) const { return ring_[number % ring_.size()]; }
  void forget_before(SteadyTime time);

  Options options_;
  std::vector<Taken> ring_;  ///< what was taken, by its number; as long as an interval can fill
  std::unordered_set<std::uint64_t> recent_;  ///< the users of [oldest_, next_)
  std::uint64_t oldest_ = 0, next_ = 0;
  std::uint64_t thinned_ = 0;
  SteadyTime now_ = SteadyTime::min();
};

}  // namespace liminal::sqlite
