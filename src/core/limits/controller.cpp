#include "core/limits/controller.hpp"

#include <algorithm>
#include <bit>

#include "core/base/math.hpp"
#include "core/limits/gcra.hpp"

namespace liminal::limits {
namespace {

constexpr Duration kStep = std::chrono::seconds{1};
constexpr std::uint32_t kMinutesPerWeek = 7 * 24 * 60;
constexpr unsigned kFull = 255;
/// Suspicion below this changes no rate by a thousandth: it is over.
constexpr float kOver = 1e-4F;

std::uint32_t minute_of(SteadyTime now) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::minutes>(now.time_since_epoch()).count());
}

std::uint16_t in_256ths(float score) {
  if (!(score > 0)) return 0;
  return static_cast<std::uint16_t>(std::min(score, 255.F) * 256);
}

/// One step of a first-order lag.
double follow(double value, double target, Duration elapsed, Duration time_constant) {
  if (value == target) return value;
  return target + (value - target) * exp(-seconds(elapsed) / seconds(time_constant));
}

}  // namespace

void Controller::count(SteadyTime now) {
  open_minute_of(now);
  if (messages_ < 0xffff) ++messages_;
}

bool Controller::adapt(const ControllerOptions& options,
                       double configured_per_second,
                       float score,
                       SteadyTime now) {
  if (static_cast<double>(score) > options.calm_score) {
    open_minute_of(now);
    anomalous_ = true;
  }
  const Duration elapsed = now - adapted_at_;
  if (elapsed < kStep) {
    peak_score_256_ = std::max(peak_score_256_, in_256ths(score));
    return false;
  }

  open_minute_of(now);
  // The worst score since the last step holds for its second, then comes silence.
  const double worst = peak_score_256_ / 256.;
  const double target =
      std::clamp((worst - options.calm_score) / (options.worst_score - options.calm_score), 0., 1.);
  const Duration lag = target > suspicion_ ? options.slow_down : options.recover;
  const double suspected = follow(suspicion_, target, kStep, lag);
  suspicion_ = static_cast<float>(follow(suspected, 0, elapsed - kStep, options.recover));
  if (suspicion_ < kOver) suspicion_ = 0;
  personal_ = static_cast<float>(follow(personal_,
                                        personal_target(options, configured_per_second),
                                        elapsed,
                                        options.personal_follow));
  peak_score_256_ = in_256ths(score);
  adapted_at_ = now;
  return true;
}

double Controller::ratio(const ControllerOptions& options) const {
  if (!options.enabled) return 1;
  const double personal = std::clamp<double>(personal_, options.floor_ratio, options.ceiling_ratio);
  if (suspicion_ == 0) return personal;
  const double f = suspicion_;
  return std::clamp(
      exp((1 - f) * log(personal) + f * log(options.floor_ratio)), options.floor_ratio, personal);
}

double Controller::personal_target(const ControllerOptions& options,
                                   double configured_per_second) const {
  if (!options.personal || configured_per_second <= 0) return 1;
  const double habit = messages_per_minute_quantile(options);
  if (habit == 0) return 1;
  constexpr double kSecondsPerMinute = 60;
  return std::clamp(options.personal_headroom * habit / kSecondsPerMinute / configured_per_second,
                    options.personal_floor_ratio,
                    options.ceiling_ratio);
}

double Controller::messages_per_minute_quantile(const ControllerOptions& options) const {
  const unsigned total = active_minutes();
  if (total < options.personal_minutes_min) return 0;
  const double wanted = options.personal_quantile * total;
  unsigned sum = 0;
  std::size_t octave = 0;
  for (; octave + 1 < kOctaves; ++octave) {
    sum += minutes_by_octave_[octave];
    if (sum >= wanted) break;
  }
  return static_cast<double>(1U << octave);
}

unsigned Controller::active_minutes() const {
  unsigned total = 0;
  for (const std::uint8_t minutes : minutes_by_octave_) total += minutes;
  return total;
}

void Controller::open_minute_of(SteadyTime now) {
  const std::uint32_t minute = minute_of(now);
  if (minute <= minute_) return;
  record_minute();
  // Eight halvings leave nothing to halve, save one minute that a ceiling keeps.
  const std::uint32_t weeks = minute / kMinutesPerWeek - minute_ / kMinutesPerWeek;
  for (std::uint32_t i = 0; i < std::min(weeks, 8U); ++i) halve();
  minute_ = minute;
  messages_ = 0;
  anomalous_ = false;
}

void Controller::record_minute() {
  if (messages_ == 0) return;
  const unsigned messages = anomalous_ ? 1 : messages_;
  const auto octave = static_cast<std::size_t>(std::bit_width(messages - 1));
  ++minutes_by_octave_[std::min(octave, kOctaves - 1)];
  if (active_minutes() >= kFull) halve();
}

/// Halves the cumulative counts and not the counts: so the total depends on the number of minutes
/// alone, and quieter minutes never give a higher quantile, whatever the rounding.
void Controller::halve() {
  unsigned sum = 0;
  unsigned kept = 0;
  for (std::uint8_t& minutes : minutes_by_octave_) {
    sum += minutes;
    const unsigned half = (sum + 1) / 2;
    minutes = static_cast<std::uint8_t>(half - kept);
    kept = half;
  }
}

void Controller::save(Writer& out) const {
  out.put(nanoseconds(adapted_at_));
  out.put(suspicion_);
  out.put(personal_);
  out.put(minute_);
  out.put(messages_);
  out.put(peak_score_256_);
  out.put(static_cast<std::uint8_t>(anomalous_));
  for (const std::uint8_t minutes : minutes_by_octave_) out.put(minutes);
}

Controller Controller::load(Reader& in) {
  Controller controller;
  controller.adapted_at_ = SteadyTime{Duration{in.get<Duration::rep>()}};
  in.get(controller.suspicion_);
  in.get(controller.personal_);
  in.get(controller.minute_);
  in.get(controller.messages_);
  in.get(controller.peak_score_256_);
  controller.anomalous_ = in.get<std::uint8_t>() != 0;
  for (std::uint8_t& minutes : controller.minutes_by_octave_) in.get(minutes);
  const bool possible = controller.adapted_at_ >= SteadyTime{} &&
                        controller.adapted_at_ <= kTimeMax && controller.suspicion_ >= 0 &&
                        controller.suspicion_ <= 1 && controller.personal_ >= 1.F / kPaceRange &&
                        controller.personal_ <= kPaceRange && controller.active_minutes() < kFull;
  if (!possible) in.fail();
  return controller;
}

}  // namespace liminal::limits
