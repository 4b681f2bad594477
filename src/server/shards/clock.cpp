#include "server/shards/clock.hpp"

#include <algorithm>
#include <chrono>

namespace liminal::shards {
namespace {

/// Less is the two clocks' jitter.
constexpr Duration kStepMin = std::chrono::seconds{1};

Duration wall_now() { return std::chrono::system_clock::now().time_since_epoch(); }

}  // namespace

EngineClock::EngineClock(double scale, const std::optional<ClockState>& resumed, Source source)
    : source_(std::move(source)), scale_(scale) {
  if (!source_.wall) source_.wall = wall_now;
  steady_start_ = steady();
  const Duration wall = source_.wall();
  if (resumed && scale_ == 1) {
    engine_start_ = std::max(resumed->engine, SteadyTime{wall});
  } else if (resumed) {
    engine_start_ = resumed->engine + std::max(wall - resumed->wall, Duration::zero());
  } else {
    engine_start_ = SteadyTime{wall};
  }
}

Duration EngineClock::steady() const {
  return source_.steady ? source_.steady() : std::chrono::steady_clock::now().time_since_epoch();
}

EngineClock::Moment EngineClock::moment() const {
  const Duration went = followed();
  const Duration lived = steady() - steady_start_;
  if (scale_ == 1) return {engine_start_ + lived + went, went};
  return {engine_start_ + from_seconds(seconds(lived) * scale_), went};
}

Duration EngineClock::follow() {
  const Duration step = -ahead();
  far_looks_ = step > kFollowedAtOnce ? far_looks_ + 1 : 0;
  if (step <= kStepMin || (far_looks_ > 0 && far_looks_ < kLooks)) return Duration::zero();
  far_looks_ = 0;
  followed_.fetch_add(step.count(), std::memory_order_relaxed);
  return step;
}

Duration EngineClock::followed() const {
  return Duration{followed_.load(std::memory_order_relaxed)};
}

Duration EngineClock::ahead() const {
  if (scale_ != 1) return Duration::zero();
  // The date first: who is held up in between follows by too little, not by too much.
  const Duration wall = date();
  return now().time_since_epoch() - wall;
}

}  // namespace liminal::shards
