#include "server/actor/pacer.hpp"

#include <algorithm>
#include <charconv>

namespace liminal::actor {
namespace {

constexpr std::int64_t kRetryAfterSecondsMax = 24 * 3600;

Duration asked_for(std::string_view retry_after) {
  std::int64_t count = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [rest, error] = std::from_chars(retry_after.data(), end, count);
  if (error != std::errc() || rest != end || count < 0) return Duration::zero();
  return std::chrono::seconds{std::min(count, kRetryAfterSecondsMax)};
}

}  // namespace

Outcome outcome_of(unsigned status, std::string_view retry_after) {
  if (status >= 200 && status < 300) return {};
  const bool passing = status == 408 || status == 425 || status == 429 || status >= 500;
  if (!passing) return {Outcome::Kind::kRejected, {}};
  return {Outcome::Kind::kRetry, asked_for(retry_after)};
}

bool Pacer::is_due(std::uint32_t wanted, SteadyTime now) const {
  if (now < not_before_) return false;
  if (told_ != wanted) return true;
  return repeats_ && now - told_at_ >= options_->repeat;
}

void Pacer::settle(std::uint32_t told, const Outcome& outcome, SteadyTime now) {
  if (outcome.kind == Outcome::Kind::kDone) {
    told_ = told;
    told_at_ = now;
    failures_ = 0;
    not_before_ = now + options_->interval;
    return;
  }
  if (outcome.kind == Outcome::Kind::kRejected) {
    failures_ = 0;
    not_before_ = now + options_->retry_max;
    return;
  }
  Duration pause = options_->retry_first;
  for (std::uint32_t i = 0; i < failures_ && pause < options_->retry_max; ++i) pause *= 2;
  ++failures_;
  not_before_ = now + std::min(std::max(pause, outcome.retry_after), options_->retry_max);
}

}  // namespace liminal::actor
