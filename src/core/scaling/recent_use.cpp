#include "core/scaling/recent_use.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace liminal::scaling {
namespace {

constexpr std::size_t kMinutesMin = 15;
/// What a minute must lie above the law by: that part of it, and at least so much.
constexpr double kOffRatio = .15, kOffMin = .03;
/// Of the minutes must do so.
constexpr double kMost = .75;
/// An offset leaves less than that of what a factor leaves.
constexpr double kClearly = .8;

double quantile(std::vector<double> values, double part) {
  const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace

void RecentUse::add(double load, double use) {
  minutes_[next_] = {static_cast<float>(load), static_cast<float>(use)};
  next_ = (next_ + 1) % kMinutes;
  count_ = std::min(count_ + 1, kMinutes);
}

std::optional<RecentUse::Shift> RecentUse::shift(const LoadLine::Fit& law) const {
  if (count_ < kMinutesMin) return std::nullopt;
  std::vector<double> beyond, more, times;
  for (std::size_t i = 0; i < count_; ++i) {
    const double use = static_cast<double>(minutes_[i].use);
    const double said = law.at(static_cast<double>(minutes_[i].load));
    more.push_back(use - said);
    beyond.push_back(more.back() - std::max(kOffMin, kOffRatio * said));
    if (said > 0) times.push_back(use / said);
  }
  if (!(quantile(std::move(beyond), 1 - kMost) > 0)) return std::nullopt;
  Shift by_offset{1, quantile(more, .5), 0};
  by_offset.size = by_offset.offset;
  if (times.size() < more.size()) return by_offset;
  Shift by_factor{quantile(times, .5), 0, by_offset.offset};
  // Whichever leaves less of the minutes.
  double left_by_offset = 0, left_by_factor = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const double said = law.at(static_cast<double>(minutes_[i].load));
    const double use = static_cast<double>(minutes_[i].use);
    left_by_offset += std::abs(use - said - by_offset.offset);
    left_by_factor += std::abs(use - said * by_factor.factor);
  }
  // A dearer request takes more from what an instance can do: what is not clear counts as that.
  return left_by_offset < kClearly * left_by_factor ? by_offset : by_factor;
}

void RecentUse::save(Writer& out) const {
  out.put_varint(count_);
  // The oldest first.
  for (std::size_t i = 0; i < count_; ++i) {
    const Minute& one = minutes_[(next_ + kMinutes - count_ + i) % kMinutes];
    out.put(one.load);
    out.put(one.use);
  }
}

Result<void> RecentUse::load(Reader& in) {
  *this = {};
  const std::uint64_t count = in.get_varint();
  if (count > kMinutes) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    const auto load = static_cast<double>(in.get<float>());
    const auto use = static_cast<double>(in.get<float>());
    if (!(load >= 0) || !std::isfinite(load) || !std::isfinite(use)) in.fail();
    add(load, use);
  }
  return in.finish();
}

}  // namespace liminal::scaling
