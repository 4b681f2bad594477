#include "io/sqlite/feature_sampler.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace liminal::sqlite {
namespace {

constexpr Duration kSecond = std::chrono::seconds{1};
constexpr std::uint64_t kRememberedMax = 1 << 20;

/// The most rows that one interval can hold: its seconds, the begun one included, all full.
std::uint64_t capacity(const FeatureSampler::Options& options) {
  const auto interval_s =
      static_cast<std::uint64_t>((options.user_interval + kSecond - Duration{1}) / kSecond);
  return (interval_s + 1) * options.rows_per_second;
}

}  // namespace

Problems FeatureSampler::validate(const Options& options) {
  Problems found;
  if (options.user_interval < kSecond || options.user_interval > std::chrono::hours{1})
    found.push_back({"user_interval", "must be from 1 s to 1 h"});
  if (options.rows_per_second == 0) found.push_back({"rows_per_second", "must be at least 1"});
  if (found.empty() && capacity(options) > kRememberedMax)
    found.push_back({"rows_per_second", "times user_interval must not exceed a million rows"});
  return found;
}

FeatureSampler::FeatureSampler(const Options& options) : options_(options) {
  LIMINAL_CHECK(validate(options).empty());
  ring_.resize(static_cast<std::size_t>(capacity(options)));
}

bool FeatureSampler::take(std::uint64_t user_hash, SteadyTime now) {
  now_ = std::max(now_, now);
  forget_before(now_ - options_.user_interval);
  const std::uint64_t a_second = options_.rows_per_second;
  const bool full = next_ - oldest_ >= a_second && now_ - at(next_ - a_second).time < kSecond;
  if (full || !recent_.insert(user_hash).second) {
    ++thinned_;
    return false;
  }
  ring_[next_++ % ring_.size()] = {user_hash, now_};
  return true;
}

void FeatureSampler::forget_before(SteadyTime time) {
  for (; oldest_ != next_ && at(oldest_).time <= time; ++oldest_)
    recent_.erase(at(oldest_).user_hash);
}

std::size_t FeatureSampler::memory_bytes() const {
  constexpr std::size_t kNodeBytes = 32;  // libstdc++: value, next, and malloc's own
  return sizeof *this + ring_.capacity() * sizeof(Taken) + recent_.size() * kNodeBytes +
         recent_.bucket_count() * sizeof(void*);
}

}  // namespace liminal::sqlite
