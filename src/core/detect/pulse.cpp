#include "core/detect/pulse.hpp"

#include <algorithm>
#include <cmath>

namespace liminal::detect {

namespace {

constexpr double kPerSecond = 16;  // of an interval's unit

}  // namespace

bool Pulse::beat(std::uint16_t content, Stamp now) {
  constexpr double kIntervalMin_s = 4, kIntervalMax_s = 4095, kOff = .1, kOffMin_s = .5;
  constexpr std::uint8_t kSteadyMin = 3;
  const auto known = std::find_if(timers_.begin(), timers_.end(), [content](const Timer& timer) {
    return timer.content == content;
  });
  if (known == timers_.end()) {
    const std::size_t place = replaceable(now);
    timers_[place] = {.last = now, .content = content};
    steady_[place] = 0;
    return false;
  }
  const double interval_s = std::min(known->last.until(now), kIntervalMax_s);
  const double before_s = known->interval / kPerSecond;
  const bool steady = interval_s >= kIntervalMin_s &&
                      std::abs(interval_s - before_s) <= std::max(kOff * before_s, kOffMin_s);
  known->last = now;
  known->interval = static_cast<std::uint16_t>(interval_s * kPerSecond);
  std::uint8_t& times = steady_[static_cast<std::size_t>(known - timers_.begin())];
  times = steady ? static_cast<std::uint8_t>(std::min(times + 1, 255)) : std::uint8_t{0};
  return times >= kSteadyMin;
}

/// The one that was said the longest ago, of those that keep no time if there are any.
std::size_t Pulse::replaceable(Stamp now) const {
  constexpr double kAwayMax_s = 600;
  const auto keeps_time = [&](std::size_t i) {
    return steady_[i] > 0 && timers_[i].last.until(now) < kAwayMax_s;
  };
  std::size_t found = 0;
  for (std::size_t i = 1; i < kTimers; ++i) {
    const bool older = timers_[i].last.until(now) > timers_[found].last.until(now);
    if (keeps_time(i) != keeps_time(found) ? keeps_time(found) : older) found = i;
  }
  return found;
}

void Pulse::save(Writer& out) const {
  for (std::size_t i = 0; i < kTimers; ++i) {
    timers_[i].last.save(out);
    out.put(timers_[i].interval);
    out.put(timers_[i].content);
    out.put(steady_[i]);
  }
}

void Pulse::load(Reader& in) {
  for (std::size_t i = 0; i < kTimers; ++i) {
    timers_[i].last.load(in);
    in.get(timers_[i].interval);
    in.get(timers_[i].content);
    in.get(steady_[i]);
  }
}

}  // namespace liminal::detect
