#include "core/detect/population.hpp"

#include <algorithm>

#include "core/base/math.hpp"
#include "core/detect/loading.hpp"
#include "core/detect/surprise.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint8_t kVersion = 2;  // 1: without common contents
constexpr double kStepsPerNat = 5;

/// How fast something is learnt: a memory of that many values, and at least that long.
struct Pace {
  double values;
  double duration_s;
};
constexpr Pace kSlow{400, 300}, kFast{60, 10}, kGapPace{50, 60};

/// The weight of the mean of `count` new values against what was known.
double weight(const Pace& pace, double count, double elapsed_s) {
  const double by_count = 1 - exp(-count / pace.values);
  return std::clamp(std::min(by_count, elapsed_s / pace.duration_s), 0., 1.);
}

/// Moves a mean, and its variance, towards new values.
void move(double& mean, double* variance, const Moments& values, double by) {
  if (!(values.count > 0)) return;
  mean += by * (values.sum / values.count - mean);
  if (variance != nullptr) *variance += by * (values.squares / values.count - *variance);
}

struct Prior {
  std::array<double, kWindows> mean, variance, own_spread;
  double gap_spread_mean, gap_spread_variance;
};
// Chat: what 5,700 people of real chat did. Games: clients at 5 to 20 messages a second, nearly as
// steady as a machine. Telemetry: devices that report every 2 to 30 s.
constexpr Prior kPriors[] = {
    {{.16, .95, 3.8, 7.5}, {.2, 1.6, 13, 50}, {.5, .5, .5, .5}, .2, .06},
    {{100, 600, 2700, 6000}, {2500, 90'000, 2.2e6, 1.4e7}, {.1, .1, .15, .25}, -.5, .3},
    {{1.5, 9, 45, 130}, {2, 60, 1500, 13'000}, {.1, .1, .1, .2}, -2.5, .6}};

}  // namespace

Population::Population(Profile profile) {
  const Prior& prior = kPriors[static_cast<std::size_t>(profile)];
  for (std::size_t i = 0; i < kWindows; ++i)
    rates_[i] = {prior.mean[i], prior.variance[i], prior.own_spread[i]};
  gap_spread_mean_ = prior.gap_spread_mean;
  gap_spread_variance_ = prior.gap_spread_variance;
  // The histogram starts as a thousand messages of log-normal size.
  constexpr double kPriorMessages = 1000, kDeviation = 1.06;
  const auto above = [this](double log_bytes) {
    const double z = (log_bytes - log_bytes_mean_) / kDeviation;
    return z > 0 ? exp(-normal_surprise(z)) : 1 - exp(-normal_surprise(-z));
  };
  for (std::size_t i = 0; i < kSizeSteps; ++i) {
    const double low = static_cast<double>(i) / kStepsPerNat;
    sizes_[i] = std::max(0., kPriorMessages * (above(low) - above(low + 1 / kStepsPerNat)));
  }
  derive();
}

bool Population::learn(std::span<const Contribution> shards, SteadyTime now, Duration warm_up) {
  const double elapsed_s = last_ && now > *last_ ? seconds(now - *last_) : 0;
  if (!last_ || now > *last_) last_ = now;
  decay(elapsed_s);
  Contribution all;
  for (const Contribution& shard : shards) {
    if (!shard.empty() && !started_) started_ = now;
    for (std::size_t i = 0; i < kWindows; ++i) {
      all.counts[i].add(shard.counts[i]);
      all.excess[i].add(shard.excess[i]);
    }
    all.log_bytes.add(shard.log_bytes);
    all.log_bytes_within.add(shard.log_bytes_within);
    all.gap_spread.add(shard.gap_spread);
    all.errors.add(shard.errors);
    all.repeats.add(shard.repeats);
    all.brief_repeats.add(shard.brief_repeats);
    for (std::size_t i = 0; i < kSizeSteps; ++i) all.sizes[i] += shard.sizes[i];
  }
  count_present(shards);
  unlearnt_s_ += elapsed_s;
  if (all.counts[0].count > 0 || all.gap_spread.count > 0) {
    // A population that was silent for long does not become somebody's by one message.
    learn_ordinary(all, std::min(std::max(unlearnt_s_, 1.), 60.));
    unlearnt_s_ = 0;
  }
  warming_up_ = !started_ || now - *started_ < warm_up;
  find_shifts();
  derive();
  if (!any_shifted_ || silent_for_s_ > 0) return false;
  constexpr double kRepeatAfterSeconds = 600;
  silent_for_s_ = kRepeatAfterSeconds;
  return true;
}

void Population::decay(double elapsed_s) {
  const double minute = exp(-elapsed_s / 60);
  const double errors = rates_[1].mean > 30 ? exp(-elapsed_s / 10) : minute;
  const double two_minutes = exp(-elapsed_s / 120);
  for (double passed = 0; passed < std::min(elapsed_s, 60.); passed += 1) {
    second_ = static_cast<std::uint8_t>((second_ + 1) % messages_.size());
    messages_[second_] = 0;
  }
  light_messages_ *= errors;
  light_errors_ *= errors;
  rejoins_ *= minute;
  active_ *= two_minutes;
  common_contents_.decay(two_minutes);
  for (double& over : over_) over *= two_minutes;
  repeating_ *= two_minutes;
  repeats_shifted_for_s_ = std::max(0., repeats_shifted_for_s_ - elapsed_s);
  for (double& left : shifted_for_s_) left = std::max(0., left - elapsed_s);
  if (!any_shifted_) silent_for_s_ = std::max(0., silent_for_s_ - elapsed_s);
}

void Population::count_present(std::span<const Contribution> shards) {
  const auto amount = [](double value) { return std::max(0., value); };
  for (const Contribution& shard : shards) {
    messages_[second_] += static_cast<float>(amount(shard.messages));
    light_messages_ += amount(shard.light_messages);
    light_errors_ += amount(shard.light_errors);
    rejoins_ += amount(shard.rejoins);
    active_ += amount(shard.active);
    for (std::size_t i = 0; i < kRateStatistics; ++i) over_[i] += amount(shard.over[i]);
    repeating_ += amount(shard.repeating);
    for (const RepeatedContent& repeated : shard.repeated) common_contents_.count(repeated);
  }
  common_contents_.settle(active_);
}

void Population::learn_ordinary(const Contribution& all, double elapsed_s) {
  for (std::size_t i = 0; i < kWindows; ++i) {
    Rate& rate = rates_[i];
    const Pace& pace = fast_[i] ? kFast : kSlow;
    move(rate.mean, &rate.variance, all.counts[i], weight(pace, all.counts[i].count, elapsed_s));
    rate.variance = std::max(rate.variance, .05);
    move(rate.own_spread, nullptr, all.excess[i], weight(pace, all.excess[i].count, elapsed_s));
  }
  const double by = weight(kSlow, all.log_bytes.count, elapsed_s);
  move(log_bytes_mean_, &log_bytes_variance_, all.log_bytes, by);
  double about_zero = 0;
  move(about_zero,
       &log_bytes_variance_within_,
       all.log_bytes_within,
       weight(kSlow, all.log_bytes_within.count, elapsed_s));
  move(error_rate_, nullptr, all.errors, weight(kSlow, all.errors.count, elapsed_s));
  error_rate_ = std::max(error_rate_, .003);
  const Pace& pace = repeats_shifted() ? kFast : kSlow;
  move(repeat_rate_, nullptr, all.repeats, weight(pace, all.repeats.count, elapsed_s));
  move(brief_repeat_rate_,
       nullptr,
       all.brief_repeats,
       weight(pace, all.brief_repeats.count, elapsed_s));
  move(gap_spread_mean_,
       &gap_spread_variance_,
       all.gap_spread,
       weight(kGapPace, all.gap_spread.count, elapsed_s));
  gap_spread_variance_ = std::max(gap_spread_variance_, .03);
  learn_sizes(all);
}

void Population::learn_sizes(const Contribution& all) {
  constexpr double kWeightMax = 50'000, kSecondMax = 100, kSecondRatioMax = .01;
  double known = 0, added = 0;
  for (std::size_t i = 0; i < kSizeSteps; ++i) {
    known += sizes_[i];
    added += all.sizes[i];
  }
  if (added == 0) return;
  const double factor = std::min(1., (kSecondMax + kSecondRatioMax * known) / added);
  const double keep = known > kWeightMax ? .5 : 1;
  for (std::size_t i = 0; i < kSizeSteps; ++i) sizes_[i] = keep * sizes_[i] + factor * all.sizes[i];
}

void Population::find_shifts() {
  for (std::size_t i = 0; i < kRateStatistics; ++i) {
    if (active_ >= static_cast<double>(kActiveMin) && over_[i] >= .5 * active_)
      shifted_for_s_[i] = i == kWindows - 1 || i == kRateCusum ? 900 : 60;
    shifted_[i] = shifted_for_s_[i] > 0;
  }
  constexpr double kManyRepeat = .25, kRepeatsShiftedSeconds = 900;
  if (active_ >= static_cast<double>(kActiveMin) && repeating_ >= kManyRepeat * active_)
    repeats_shifted_for_s_ = kRepeatsShiftedSeconds;
  // The CUSUM sums up what the longest window expects.
  constexpr std::size_t kLongest = kWindows - 1;
  shifted_[kRateCusum] = shifted_[kRateCusum] || shifted_[kLongest];
  any_shifted_ = std::any_of(shifted_.begin(), shifted_.end(), [](bool is) { return is; });
  for (std::size_t i = 0; i < kWindows; ++i) {
    fast_[i] = shifted_[i] || shifted_[kRateCusum] || (warming_up_ && over_[i] > .25 * active_);
  }
}

void Population::derive() {
  for (Rate& rate : rates_) {
    const double mean = 1 + rate.mean;
    rate.deviation = sqrt(rate.variance);
    rate.spread = rate.variance / (mean * mean);
    // Half of the Poisson part is left in: decayed counts of the same messages hang together.
    rate.dispersion = 1 / std::max(.125, rate.spread - .5 / mean);
  }
  caution_ = std::max(0., log((1 + rates_[1].mean) / 10));
  gap_spread_deviation_ = std::max(.25, sqrt(gap_spread_variance_));
  // Of a user whose gaps spread as little as one of fifty ordinary users'.
  const double spread = exp(gap_spread_mean_ - 2 * gap_spread_deviation_);
  steady_rate_ = 1 - 2 * exp(-normal_surprise(Gaps::kSteady / spread));
  double total = 0, above = 0;
  for (const double size : sizes_) total += size;
  for (std::size_t i = kSizeSteps; i-- > 0;) {
    above += sizes_[i];
    size_surprise_[i] = static_cast<float>(-log((above + .3) / (total + 1)));
  }
}

double Population::ordinary_rate(double own) const {
  const double learnt = 1 + rates_[1].mean;
  if (!(warming_up_ || any_shifted_)) return learnt;
  double messages = -own;
  for (const float each : messages_) messages += static_cast<double>(each);
  // Some of them have just come, or just left: their mean is known to a factor of two.
  return std::max(learnt, 2 * messages / std::max(.5, active_ - 1));
}

double Population::present_error_rate(float own_messages, float own_errors) const {
  constexpr double kPriorMessages = 10;
  // The shards' word comes a second late: the own share may exceed what is already known.
  const double messages = std::max(0., light_messages_ - static_cast<double>(own_messages));
  const double errors = std::max(0., light_errors_ - static_cast<double>(own_errors));
  return (errors + kPriorMessages * error_rate_) / (messages + kPriorMessages);
}

double Population::size_surprise(double log_bytes) const {
  const double step = std::clamp(log_bytes * kStepsPerNat, 0., static_cast<double>(kSizeSteps - 1));
  return static_cast<double>(size_surprise_[static_cast<std::size_t>(step)]);
}

double Population::over_ratio() const {
  if (!(active_ > 0)) return 0;
  return std::min(1., *std::max_element(over_.begin(), over_.end()) / active_);
}

void Population::set_ringing(std::span<const std::uint64_t> addresses) {
  ringing_ = {};
  std::copy_n(addresses.begin(), std::min(addresses.size(), kRingingMax), ringing_.begin());
}

bool Population::ringing(std::uint64_t address) const {
  return address != 0 && std::find(ringing_.begin(), ringing_.end(), address) != ringing_.end();
}

template <class Self, class Visit>
void Population::numbers(Self& self, Visit&& visit) {
  for (auto& rate : self.rates_) {
    visit(rate.mean);
    visit(rate.variance);
    visit(rate.own_spread);
  }
  visit(self.error_rate_);
  visit(self.repeat_rate_);
  visit(self.brief_repeat_rate_);
  visit(self.log_bytes_mean_);
  visit(self.log_bytes_variance_);
  visit(self.log_bytes_variance_within_);
  visit.any_sign(self.gap_spread_mean_);  // of a logarithm
  visit(self.gap_spread_variance_);
  for (auto& size : self.sizes_) visit(size);
  for (auto& messages : self.messages_) visit(messages);
  visit(self.light_messages_);
  visit(self.light_errors_);
  visit(self.rejoins_);
  visit(self.active_);
  for (auto& over : self.over_) visit(over);
  for (auto& left : self.shifted_for_s_) visit(left);
  visit(self.silent_for_s_);
  visit(self.unlearnt_s_);
}

void Population::save(Writer& out) const {
  out.put(kVersion);
  numbers(*this, NumberWriter{out});
  out.put(second_);
  for (const std::uint64_t address : ringing_) out.put(address);
  for (const auto& time : {started_, last_}) {
    out.put(time.has_value());
    out.put(time ? nanoseconds(*time) : 0);
  }
  out.put(warming_up_);
  common_contents_.save(out);
  out.put(repeating_);
  out.put(repeats_shifted_for_s_);
}

void Population::load(Reader& in) {
  *this = Population{};
  const auto version = in.get<std::uint8_t>();
  if (version < 1 || version > kVersion) in.fail();
  numbers(*this, NumberReader{in});
  second_ = static_cast<std::uint8_t>(in.get<std::uint8_t>() % messages_.size());
  for (std::uint64_t& address : ringing_) in.get(address);
  for (auto* time : {&started_, &last_}) {
    const bool known = in.get<std::uint8_t>() != 0;
    const SteadyTime at{Duration{in.get<std::int64_t>()}};
    if (known) *time = at;
  }
  warming_up_ = in.get<std::uint8_t>() != 0;
  if (version > 1) {
    common_contents_.load(in);
    repeating_ = get_amount<double>(in);
    repeats_shifted_for_s_ = get_amount<double>(in);
  }
  if (!in.ok()) {
    *this = Population{};
    return;
  }
  find_shifts();
  derive();
}

}  // namespace liminal::detect
