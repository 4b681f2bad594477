#include "core/limits/gcra.hpp"

namespace liminal::limits {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint8_t kBytesShift = 10;

/// a × b / c, rounded up, held to `kDebtMax`. All ≥ 0, c > 0.
Duration times_over(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  const Wide quotient = (Wide{a} * b + c - 1) / c;
  const auto most = static_cast<std::uint64_t>(kDebtMax.count());
  return Duration{
      static_cast<Duration::rep>(quotient < most ? static_cast<std::uint64_t>(quotient) : most)};
}

std::uint64_t count(Duration duration) { return static_cast<std::uint64_t>(duration.count()); }

Duration period_of(double units_per_second, std::uint8_t shift) {
  if (!(units_per_second > 0)) return Duration::zero();
  const double units = static_cast<double>(std::uint64_t{1} << shift);
  return std::max(Duration{1}, from_seconds(units / units_per_second));
}

}  // namespace

GcraPolicy GcraPolicy::messages(double per_second, std::uint32_t burst) {
  return {.period = period_of(per_second, 0), .burst = burst, .shift = 0};
}

GcraPolicy GcraPolicy::bytes(double per_second, std::uint32_t burst) {
  return {.period = period_of(per_second, kBytesShift), .burst = burst, .shift = kBytesShift};
}

double GcraPolicy::per_second() const {
  return unlimited() ? 0 : static_cast<double>(std::uint64_t{1} << shift) / seconds(period);
}

void Gcra::charge_any(const GcraPolicy& policy, SteadyTime now, std::uint64_t cost) {
  if (policy.unlimited()) return;
  const Duration used = times_over(cost, count(policy.period), std::uint64_t{1} << policy.shift);
  whole_at_ = std::min(std::max(now, whole_at_) + used, now + kDebtMax);
}

void Gcra::change_rate(Duration period_before, Duration period_after, SteadyTime now) {
  if (whole_at_ <= now || period_before == period_after || period_before == Duration::zero())
    return;
  whole_at_ = now + times_over(count(whole_at_ - now), count(period_after), count(period_before));
}

Gcra Gcra::load(Reader& in) {
  Gcra gcra;
  gcra.whole_at_ = SteadyTime{Duration{in.get<Duration::rep>()}};
  if (gcra.whole_at_ < SteadyTime{} || gcra.whole_at_ > kTimeMax + kDebtMax) in.fail();
  return gcra;
}

}  // namespace liminal::limits
