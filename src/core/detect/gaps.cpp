#include "core/detect/gaps.hpp"

#include <algorithm>

namespace liminal::detect {
namespace {

constexpr double kStepsPerNat = 2048;

}  // namespace

void Gaps::add(double log_gap) {
  // Gaps of 20 ms and less are one: below it the network's jitter speaks, not the user.
  const auto step = static_cast<Step>(std::clamp(log_gap, -4., 15.) * kStepsPerNat);
  if (size_ == kGapsMax) {
    Step* const old = std::lower_bound(sorted_.begin(), sorted_.end(), recent_[next_]);
    std::copy(old + 1, sorted_.end(), old);
    --size_;
  }
  Step* const end = sorted_.begin() + size_;
  Step* const place = std::upper_bound(sorted_.begin(), end, step);
  std::copy_backward(place, end, end + 1);
  *place = step;
  ++size_;
  recent_[next_] = step;
  next_ = static_cast<std::uint8_t>((next_ + 1) % kGapsMax);
}

double Gaps::spread() const {
  const int between = sorted_[size_ * 13U / 16] - sorted_[size_ * 3U / 16];
  // 1.78 deviations lie between these two ranks of a normal distribution.
  return static_cast<double>(between) / kStepsPerNat / 1.78 + kSpreadMin;
}

bool Gaps::steady(double log_gap) const {
  const double median = sorted_[size_ / 2U] / kStepsPerNat;
  return log_gap > median - kSteady && log_gap < median + kSteady;
}

void Gaps::save(Writer& out) const {
  out.put(next_);
  out.put(size_);
  for (const Step step : recent_) out.put(step);
}

void Gaps::load(Reader& in) {
  in.get(next_);
  in.get(size_);
  for (Step& step : recent_) in.get(step);
  // While the ring fills, its values lie from 0 on and `next_` is their number.
  if (next_ >= kGapsMax || size_ > kGapsMax || (size_ < kGapsMax && next_ != size_)) {
    in.fail();
    *this = {};
    return;
  }
  sorted_ = recent_;
  std::sort(sorted_.begin(), sorted_.begin() + size_);
}

}  // namespace liminal::detect
