#include "server/actor/pacer.hpp"

#include <algorithm>

namespace liminal::actor {

bool Pacer::is_due(std::uint32_t wanted, SteadyTime now) const {
  if (now < not_before_) return false;
  if (told_ != wanted) return true;
  return repeats_ && now - told_at_ >= options_->repeat;
}

void Pacer::settle(std::uint32_t told, const http::Outcome& outcome, SteadyTime now) {
  using http::Outcome;
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
  const Duration pause =
      http::Backoff{options_->retry_first, options_->retry_max}.pause(++failures_);
  not_before_ = now + std::min(std::max(pause, outcome.retry_after), options_->retry_max);
}

}  // namespace liminal::actor
