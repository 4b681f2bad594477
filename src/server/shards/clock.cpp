#include "server/shards/clock.hpp"

#include <algorithm>
#include <chrono>

namespace liminal::shards {
namespace {

Duration wall_now() { return std::chrono::system_clock::now().time_since_epoch(); }

}  // namespace

EngineClock::EngineClock(double scale, const std::optional<ClockState>& resumed, Source source)
    : source_(std::move(source)), scale_(scale) {
  if (!source_.wall) source_.wall = wall_now;
  steady_start_ = steady();
  const Duration wall = source_.wall();
  if (resumed) {
    engine_start_ = resumed->engine + std::max(wall - resumed->wall, Duration::zero());
  } else {
    engine_start_ = SteadyTime{wall};
  }
}

Duration EngineClock::steady() const {
  return source_.steady ? source_.steady() : std::chrono::steady_clock::now().time_since_epoch();
}

SteadyTime EngineClock::now() const {
  const Duration lived = steady() - steady_start_;
  if (scale_ == 1) return engine_start_ + lived;
  return engine_start_ + from_seconds(seconds(lived) * scale_);
}

ClockState EngineClock::state() const { return {now(), source_.wall()}; }

}  // namespace liminal::shards
