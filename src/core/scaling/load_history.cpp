#include "core/scaling/load_history.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::scaling {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

/// Smoothing, in minutes: the level, then the slower means that are told relative to it.
constexpr std::array<double, 4> kSmoothing{3, 5, 15, 60};

/// How far back similar minutes are looked for. Those below a day move on when the horizon is
/// longer than the first of them: their peaks must be known.
constexpr std::array<std::uint32_t, 11> kLags{
    30, 60, 90, 120, 150, 180, 210, 240, 1440, 2880, 10080};
constexpr std::size_t kShortLags = 8;

constexpr std::size_t kHarmonicsAt = 8, kLagsAt = 14, kHighestAt = kLagsAt + 2 * kLags.size(),
                      kClockAt = kHighestAt + kShortLags - 1;
static_assert(kClockAt + 2 == LoadHistory::kFeatures);

constexpr double kLagClip = 2;
/// Units that the usual load is.
constexpr double kUsualUnits = 100;
/// How far the usual load may drift from that, in ln.
constexpr double kUnitDrift = 1.3862943611198906;  // ln 4
/// Less says nothing of the usual load.
constexpr double kLoadMin = 1e-12;
constexpr double kHourTableMinutes = 2880;  // two days of memory
constexpr double kDayTableGain = .03;
constexpr int kDayTableSpread = 7;

/// Sine of a part of a turn, by its series after folding to a quarter: libm's bits differ.
double sine_of_turn(double turn) {
  turn -= std::floor(turn);
  double x = turn > .5 ? turn - 1 : turn;
  if (x > .25) x = .5 - x;
  if (x < -.25) x = -.5 - x;
  constexpr double kTurn = 6.283185307179586476925;
  const double r = x * kTurn, z = r * r;
  double p = 1. / 6227020800.;
  p = p * -z + 1. / 39916800.;
  p = p * -z + 1. / 362880.;
  p = p * -z + 1. / 5040.;
  p = p * -z + 1. / 120.;
  p = p * -z + 1. / 6.;
  p = p * -z + 1.;
  return r * p;
}

std::size_t modulo(std::int64_t value, std::int64_t by) {
  const std::int64_t rest = value % by;
  return static_cast<std::size_t>(rest < 0 ? rest + by : rest);
}

std::int64_t hour_of(std::int64_t minute) {
  return (minute - static_cast<std::int64_t>(modulo(minute, 60))) / 60;
}

}  // namespace

LoadHistory::LoadHistory(std::uint32_t horizon) : horizon_(horizon) {
  LIMINAL_CHECK(horizon >= 1 && horizon <= 240);
}

const LoadHistory::Minute* LoadHistory::before(std::uint64_t ago) const {
  if (ago >= count_ || ago >= kCapacity) return nullptr;
  return &ring_[(count_ - 1 - ago) % kCapacity];
}

void LoadHistory::push(std::int64_t minute, std::optional<double> load) {
  LIMINAL_DCHECK(count_ == 0 || minute == last_minute_ + 1);
  if (load) choose_unit(*load);
  const double log_load = load ? log_of(*load) : 0;
  const Minute entry{load ? static_cast<float>(log_load) : kUnknown, kUnknown, kUnknown};
  if (ring_.size() < kCapacity) {
    if (ring_.size() == ring_.capacity())
      ring_.reserve(std::clamp<std::size_t>(2 * ring_.size(), 64, kCapacity));
    ring_.push_back(entry);
  } else {
    ring_[count_ % kCapacity] = entry;
  }
  ++count_;
  last_minute_ = minute;
  for (std::int64_t hour = std::max(hour_of(minute) - static_cast<std::int64_t>(kHours), hour_);
       hour < hour_of(minute);)
    hour_max_[modulo(++hour, kHours)] = 0;
  hour_ = hour_of(minute);
  if (load) {
    ++known_;
    float& highest = hour_max_[modulo(hour_, kHours)];
    highest = std::max(highest, static_cast<float>(log_load));
    for (std::size_t i = 0; i < means_.size(); ++i)
      means_[i] = known_ == 1 ? log_load : means_[i] + (log_load - means_[i]) / kSmoothing[i];
    before(0)->level = static_cast<float>(level());
    mean_load_ +=
        (exp(level()) - mean_load_) / static_cast<double>(std::min<std::uint64_t>(known_, kWeek));
  }
  learn_peak(minute);
}

double LoadHistory::log_of(double load) const { return unit_ > 0 ? log1p(load / unit_) : 0; }

double LoadHistory::load_of(double log_load) const { return (exp(log_load) - 1) * unit_; }

void LoadHistory::choose_unit(double load) {
  if (load < kLoadMin) return;
  ++loaded_;
  usual_ += (log(load) - usual_) / static_cast<double>(std::min<std::uint64_t>(loaded_, kWeek));
  if (unit_ > 0 && std::abs(usual_ - log(kUsualUnits * unit_)) <= kUnitDrift) return;
  tell_in(exp(usual_) / kUsualUnits);
}

void LoadHistory::tell_in(double unit) {
  // Without a unit all that is known is 0.
  const double ratio = unit_ / unit;
  unit_ = unit;
  if (!(ratio > 0)) return;
  const auto move = [ratio](auto& log_load) {
    if (std::isnan(log_load)) return;
    log_load = static_cast<std::remove_reference_t<decltype(log_load)>>(
        log1p((exp(static_cast<double>(log_load)) - 1) * ratio));
  };
  for (Minute& entry : ring_) {
    move(entry.log_load);
    move(entry.level);
    move(entry.peak);
  }
  for (double& mean : means_) move(mean);
  for (float& highest : hour_max_) move(highest);
  mean_load_ = 1 + (mean_load_ - 1) * ratio;
}

std::optional<double> LoadHistory::highest_since(std::uint64_t ago) const {
  float highest = -1;
  std::uint32_t known = 0;
  for (std::uint64_t i = 0; i < ago; ++i) {
    const Minute* const entry = before(i);
    if (entry == nullptr || std::isnan(entry->log_load)) continue;
    highest = std::max(highest, entry->log_load);
    ++known;
  }
  if (known == 0 || 2 * known < ago) return std::nullopt;
  return static_cast<double>(highest);
}

void LoadHistory::learn_peak(std::int64_t minute) {
  growth_learnt_.reset();
  Minute* const origin = before(horizon_);
  if (origin == nullptr || std::isnan(origin->level)) return;
  const auto peak = highest_since(horizon_);
  if (!peak) return;
  origin->peak = static_cast<float>(*peak);
  growth_learnt_ = *peak - static_cast<double>(origin->level);
  learn_clock(minute - horizon_, *growth_learnt_);
}

void LoadHistory::learn_clock(std::int64_t minute, double growth) {
  const auto moved = [growth](float from, double gain) {
    return static_cast<float>(static_cast<double>(from) +
                              gain * (growth - static_cast<double>(from)));
  };
  const auto seen = static_cast<double>(count_ - 1 - horizon_);
  float& of_hour = by_minute_of_hour_[modulo(minute, 60)];
  of_hour = moved(of_hour, 60 / std::clamp(seen, 60., kHourTableMinutes));
  for (int i = -kDayTableSpread; i <= kDayTableSpread; ++i) {
    float& of_day = by_minute_of_day_[modulo(minute + i, kDay)];
    of_day = moved(of_day, kDayTableGain);
  }
}

LoadHistory::Features LoadHistory::features() const {
  Features out{};
  const Minute& now = *before(0);
  const auto log_load = static_cast<double>(now.log_load);
  out[0] = 1;
  out[1] = static_cast<float>(log_load - level());
  for (std::size_t i = 1; i < means_.size(); ++i)
    out[1 + i] = static_cast<float>(means_[i] - level());
  // What is left of a recent peak: of all known minutes, few as they may be.
  float highest = now.log_load;
  for (std::uint32_t i = 1; i < horizon_; ++i) {
    const Minute* const entry = before(i);
    if (entry != nullptr && entry->log_load > highest) highest = entry->log_load;
  }
  out[5] = static_cast<float>(static_cast<double>(highest) - level());
  const Minute* const last = before(1);
  if (last != nullptr && !std::isnan(last->log_load))
    out[6] = static_cast<float>(std::abs(log_load - static_cast<double>(last->log_load)));
  out[7] = static_cast<float>(exp(-level() / 2));  // the noise of small counts
  const double of_day = static_cast<double>(modulo(last_minute_, kDay)) / kDay;
  for (std::size_t k = 0; k < 3; ++k) {
    const double turn = static_cast<double>(k + 1) * of_day;
    out[kHarmonicsAt + 2 * k] = static_cast<float>(.3 * sine_of_turn(turn));
    out[kHarmonicsAt + 2 * k + 1] = static_cast<float>(.3 * sine_of_turn(turn + .25));
  }
  add_lags(out);
  out[kClockAt] = by_minute_of_hour_[modulo(last_minute_, 60)];
  out[kClockAt + 1] = by_minute_of_day_[modulo(last_minute_, kDay)];
  return out;
}

void LoadHistory::add_lags(Features& out) const {
  const std::uint32_t later = horizon_ / 30 * 30;
  double highest = -std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < kLags.size(); ++k) {
    const std::uint32_t lag = kLags[k] + (k < kShortLags ? later : 0);
    // One more than the lag, so that its level had a minute before it.
    if (count_ - 1 < lag + 1) continue;
    const Minute& then = *before(lag);
    if (std::isnan(then.peak)) continue;
    const double growth = static_cast<double>(then.peak) - static_cast<double>(then.level);
    const double over_now = static_cast<double>(then.peak) - level();
    out[kLagsAt + 2 * k] = static_cast<float>(growth);
    out[kLagsAt + 2 * k + 1] = static_cast<float>(std::clamp(over_now, -kLagClip, kLagClip));
    if (k >= kShortLags) continue;
    // Cumulative maxima are linear in how long ago the last burst was.
    highest = std::max(highest, growth);
    if (k > 0) out[kHighestAt + k - 1] = static_cast<float>(highest);
  }
}

double LoadHistory::highest_load() const {
  float highest = 0;
  for (const float hour : hour_max_) highest = std::max(highest, hour);
  return load_of(static_cast<double>(highest));
}

std::optional<double> LoadHistory::load_before(std::uint32_t ago) const {
  const Minute* const entry = before(ago);
  if (entry == nullptr || std::isnan(entry->log_load)) return std::nullopt;
  return load_of(static_cast<double>(entry->log_load));
}

std::size_t LoadHistory::memory_bytes() const {
  return sizeof *this + ring_.capacity() * sizeof(Minute);
}

void LoadHistory::save(Writer& out) const {
  out.put(horizon_);
  out.put(count_);
  out.put(known_);
  out.put(last_minute_);
  out.put(unit_);
  out.put(usual_);
  out.put(loaded_);
  out.put_varint(ring_.size());
  for (const Minute& entry : ring_) {
    out.put(entry.log_load);
    out.put(entry.level);
    out.put(entry.peak);
  }
  for (const double mean : means_) out.put(mean);
  out.put(mean_load_);
  out.put(growth_learnt_.has_value());
  out.put(growth_learnt_.value_or(0));
  for (const float value : by_minute_of_hour_) out.put(value);
  for (const float value : by_minute_of_day_) out.put(value);
  for (const float value : hour_max_) out.put(value);
  out.put(hour_);
}

Result<void> LoadHistory::load(Reader& in) {
  in.get(horizon_);
  in.get(count_);
  in.get(known_);
  in.get(last_minute_);
  in.get(unit_);
  in.get(usual_);
  in.get(loaded_);
  if (!(unit_ >= 0 && unit_ < 1e15) || !(std::abs(usual_) < 100) || loaded_ > known_) in.fail();
  const std::uint64_t size = in.get_varint();
  constexpr std::int64_t kMinuteMax = std::int64_t{1} << 40;
  if (horizon_ < 1 || horizon_ > 240 || known_ > count_ || last_minute_ > kMinuteMax ||
      last_minute_ < -kMinuteMax || size != std::min<std::uint64_t>(count_, kCapacity) ||
      size > in.remaining() / sizeof(Minute))
    in.fail();
  const auto finite = [&in](auto value) {
    if (!(std::abs(value) < 1e6F)) in.fail();
    return value;
  };
  const auto finite_or_unknown = [&](float value) {
    return std::isnan(value) ? kUnknown : finite(value);
  };
  ring_.clear();
  for (std::uint64_t i = 0; in.ok() && i < size; ++i) {
    Minute entry{};
    entry.log_load = finite_or_unknown(in.get<float>());
    entry.level = finite_or_unknown(in.get<float>());
    entry.peak = finite_or_unknown(in.get<float>());
    if (std::isnan(entry.log_load) != std::isnan(entry.level)) in.fail();
    if (std::isnan(entry.level) && !std::isnan(entry.peak)) in.fail();
    ring_.push_back(entry);
  }
  for (double& mean : means_) mean = finite(in.get<double>());
  in.get(mean_load_);
  if (!(mean_load_ >= 0) || !std::isfinite(mean_load_)) in.fail();
  const bool learnt = in.get<std::uint8_t>() != 0;
  const double growth = finite(in.get<double>());
  growth_learnt_ = learnt ? std::optional(growth) : std::nullopt;
  for (float& value : by_minute_of_hour_) value = finite(in.get<float>());
  for (float& value : by_minute_of_day_) value = finite(in.get<float>());
  for (float& value : hour_max_) value = finite(in.get<float>());
  in.get(hour_);
  if (count_ > 0 && hour_ != hour_of(last_minute_)) in.fail();
  return in.finish();
}

}  // namespace liminal::scaling
