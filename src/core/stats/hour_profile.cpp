#include "core/stats/hour_profile.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace liminal::stats {
namespace {
/// After so many days without a visit even the largest count is 0.
constexpr std::uint64_t kDaysForgotten = 64;
}  // namespace

void HourProfile::add(unsigned hour) {
  LIMINAL_DCHECK(hour < kHours);
  counts_[hour] = static_cast<std::uint8_t>(std::min(counts_[hour] + kVisit, 255));
}

void HourProfile::pass_days(std::uint64_t days) {
  if (days >= kDaysForgotten) {
    counts_ = {};
    return;
  }
  for (; days > 0; --days) {
    for (std::uint8_t& count : counts_) count = static_cast<std::uint8_t>(count * 15 / 16);
  }
}

double HourProfile::unusual(unsigned hour) const {
  LIMINAL_DCHECK(hour < kHours);
  const double most = *std::max_element(counts_.begin(), counts_.end());
  if (most < kDaysKnown * kVisit) return 0;
  const double here = counts_[hour];
  const double beside =
      std::max(counts_[(hour + 1) % kHours], counts_[(hour + kHours - 1) % kHours]);
  return std::clamp(1 - std::max(2 * here, beside) / most, 0., 1.);
}

void HourProfile::save(Writer& out) const {
  for (const std::uint8_t count : counts_) out.put(count);
}

void HourProfile::load(Reader& in) {
  for (std::uint8_t& count : counts_) in.get(count);
}

}  // namespace liminal::stats
