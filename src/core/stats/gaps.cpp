#include "core/stats/gaps.hpp"

#include <limits>

#include "core/base/math.hpp"

namespace liminal::stats {

void GapStatistics::add(double gap_s) {
  if (count_ < kMemory) ++count_;
  const double weight = 1. / count_;
  const double delta = gap_s - mean_;
  mean_ = static_cast<float>(mean_ + weight * delta);
  variance_ = static_cast<float>((1 - weight) * (variance_ + weight * delta * delta));
}

double GapStatistics::burstiness() const {
  const double deviation = sqrt(double{variance_});
  if (count_ < kGapsKnown || deviation + mean_ <= 0) return 0;
  return (deviation - mean_) / (deviation + mean_);
}

void GapStatistics::save(Writer& out) const {
  out.put(mean_);
  out.put(variance_);
  out.put(count_);
}

void GapStatistics::load(Reader& in) {
  in.get(mean_);
  in.get(variance_);
  in.get(count_);
  constexpr float kMax = std::numeric_limits<float>::max();
  const bool plausible =
      mean_ >= 0 && mean_ <= kMax && variance_ >= 0 && variance_ <= kMax && count_ <= kMemory;
  if (!plausible) in.fail();
}

}  // namespace liminal::stats
