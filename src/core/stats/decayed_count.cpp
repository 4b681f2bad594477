#include "core/stats/decayed_count.hpp"

#include <algorithm>
#include <limits>

#include "core/base/math.hpp"

namespace liminal::stats {

void DecayedCount::add(SteadyTime now, Duration time_constant, double weight) {
  count_ = read(now, time_constant) + weight;
  at_ = std::max(at_, now);
}

double DecayedCount::read(SteadyTime now, Duration time_constant) const {
  if (now <= at_) return count_;
  return count_ * exp(-seconds(now - at_) / seconds(time_constant));
}

void DecayedCount::save(Writer& out) const {
  out.put(count_);
  out.put(nanoseconds(at_));
}

void DecayedCount::load(Reader& in) {
  in.get(count_);
  at_ = SteadyTime{Duration{in.get<std::int64_t>()}};
  constexpr double kMax = std::numeric_limits<double>::max();
  if (!(count_ >= -kMax && count_ <= kMax) || at_ < SteadyTime{}) in.fail();
}

}  // namespace liminal::stats
