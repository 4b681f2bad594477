#include "core/detect/pulse.hpp"

#include <algorithm>
#include <cmath>

#include "core/detect/loading.hpp"

namespace liminal::detect {

bool Pulse::beat(std::uint16_t content, Stamp now) {
  constexpr double kIntervalMin_s = 4, kOff = .1, kOffMin_s = .5;
  constexpr std::uint8_t kSteadyMin = 3, kSteadyMax = 255;
  const auto known = std::find_if(timers_.begin(), timers_.end(), [content](const Timer& timer) {
    return timer.content == content;
  });
  if (known == timers_.end()) {
    replaceable(now) = {.last = now, .content = content};
    return false;
  }
  const double interval_s = known->last.until(now);
  const auto before_s = static_cast<double>(known->interval_s);
  const bool steady = interval_s >= kIntervalMin_s &&
                      std::abs(interval_s - before_s) <= std::max(kOff * before_s, kOffMin_s);
  known->last = now;
  known->interval_s = static_cast<float>(interval_s);
  known->steady = steady ? static_cast<std::uint8_t>(std::min(known->steady + 1, +kSteadyMax))
                         : std::uint8_t{0};
  return known->steady >= kSteadyMin;
}

/// The one that was said the longest ago, of those that keep no time if there are any.
Pulse::Timer& Pulse::replaceable(Stamp now) {
  constexpr double kAwayMax_s = 600;
  const auto keeps_time = [now](const Timer& timer) {
    return timer.steady > 0 && timer.last.until(now) < kAwayMax_s;
  };
  return *std::min_element(timers_.begin(), timers_.end(), [&](const Timer& a, const Timer& b) {
    if (keeps_time(a) != keeps_time(b)) return keeps_time(b);
    return a.last.until(now) > b.last.until(now);
  });
}

void Pulse::save(Writer& out) const {
  for (const Timer& timer : timers_) {
    timer.last.save(out);
    out.put(timer.interval_s);
    out.put(timer.content);
    out.put(timer.steady);
  }
}

void Pulse::load(Reader& in) {
  for (Timer& timer : timers_) {
    timer.last.load(in);
    timer.interval_s = get_amount(in);
    in.get(timer.content);
    in.get(timer.steady);
  }
}

}  // namespace liminal::detect
