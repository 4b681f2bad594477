#include "core/forecast/timed_forecaster.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace liminal::forecast {
namespace {

constexpr std::uint32_t kFormat = 1;
/// Steps from the epoch that are told or loaded: 142 years, so that no difference of times
/// overflows.
constexpr std::int64_t kStepMax = 15'000'000;
constexpr Duration kStep = TimedForecaster::Step{1};

Options options() {
  Options out;
  out.horizon = TimedForecaster::kHorizon;
  out.points_max = TimedForecaster::kPointsMax;
  return out;
}

}  // namespace

TimedForecaster::TimedForecaster() : forecaster_(options()) {}

std::int64_t TimedForecaster::step_of(EventTime at) {
  return std::chrono::floor<Step>(at.time_since_epoch()).count();
}

EventTime TimedForecaster::begin_of(std::int64_t step) { return EventTime{Step{step}}; }

bool TimedForecaster::observe(double value, EventTime at) {
  if (std::abs(step_of(at)) > kStepMax) return false;
  if (last_ && at <= *last_) {
    if (*last_ - at < kSetBack) return false;
    *this = TimedForecaster();
  }
  if (!last_) {
    open_ = step_of(at);
    last_ = at;
    holds_ = true;
    return false;
  }
  const std::int64_t opened = open_;
  EventTime from = holds_ && at - *last_ <= kHold ? *last_ : at;
  pass_gap(step_of(from));
  while (open_ < step_of(at)) {
    const EventTime end = begin_of(open_ + 1);
    add(value, end - from);
    from = end;
    close();
  }
  add(value, at - from);
  last_ = at;
  holds_ = true;
  return open_ > opened;
}

void TimedForecaster::add(double value, Duration time) {
  if (!(std::abs(value) <= Forecaster::kValueMax)) return;
  sum_ += value * seconds(time);
  known_ += time;
}

void TimedForecaster::close() {
  const bool enough = 2 * known_ >= kStep;
  // Of what lies before the first value nothing is said.
  if (enough || forecaster_.points() > 0) forecaster_.learn(enough ? sum_ / seconds(known_) : NAN);
  ++open_;
  sum_ = 0;
  known_ = {};
}

void TimedForecaster::pass_gap(std::int64_t until) {
  if (until - open_ > std::int64_t{kPointsMax}) {
    *this = TimedForecaster();
    open_ = until;
  }
  while (open_ < until) close();
}

Duration TimedForecaster::lacks() const {
  if (forecaster_.model()) return {};
  const auto values = forecaster_.values();
  const auto known =
      std::count_if(values.begin(), values.end(), [](double value) { return !std::isnan(value); });
  const Duration lacking =
      (static_cast<std::int64_t>(Forecaster::kValuesMin) - std::int64_t{known}) * kStep;
  return std::max(Duration{}, lacking - known_);
}

void TimedForecaster::take(Forecaster refitted) {
  if (refitted.points() > forecaster_.points()) return;
  const auto since = static_cast<std::size_t>(forecaster_.points() - refitted.points());
  for (const double value : forecaster_.values().last(std::min(since, forecaster_.values().size())))
    refitted.learn(value);
  forecaster_ = std::move(refitted);
}

void TimedForecaster::save(Writer& out) const {
  out.put(kFormat);
  out.put(last_.has_value());
  out.put(last_.value_or(EventTime{}).time_since_epoch().count());
  out.put(sum_);
  out.put(known_.count());
  forecaster_.save(out);
}

Result<void> TimedForecaster::load(Reader& in) {
  if (in.get<std::uint32_t>() != kFormat)
    return failure(in.ok() ? ErrorCode::kUnsupported : ErrorCode::kTruncated, in.position());
  TimedForecaster loaded;
  const bool told = in.get<std::uint8_t>() != 0;
  const EventTime last{Duration{in.get<std::int64_t>()}};
  in.get(loaded.sum_);
  loaded.known_ = Duration{in.get<std::int64_t>()};
  if (auto read = loaded.forecaster_.load(in); !read) return read;
  if (told) loaded.last_ = last;
  loaded.open_ = told ? step_of(last) : 0;
  if (std::abs(loaded.open_) > kStepMax || !std::isfinite(loaded.sum_) ||
      loaded.known_ < Duration{} || loaded.known_ > kStep ||
      loaded.forecaster_.values().size() > kPointsMax + kPointsMax / 2)
    return failure(ErrorCode::kOutOfRange, in.position());
  *this = std::move(loaded);
  return {};
}

Result<Outlook> outlook_of(const Forecaster& forecaster, EventTime begins) {
  auto ahead = forecaster.forecast(TimedForecaster::kHorizon, TimedForecaster::kLevels);
  if (!ahead) return tl::unexpected(ahead.error());
  const auto values = forecaster.values();
  const Model& model = *forecaster.model();
  const std::uint64_t points = forecaster.points(), first = points - values.size();
  const std::uint64_t since =
      std::min(points - std::min(points, model.fitted_at), std::uint64_t{values.size()});
  Outlook out;
  out.begins = begins;
  out.refitted_at = begins - TimedForecaster::Step{static_cast<std::int64_t>(since)};
  out.points = values.size();
  out.missing = static_cast<std::uint64_t>(
      std::count_if(values.begin(), values.end(), [](double value) { return std::isnan(value); }));
  out.ahead = std::move(*ahead);
  out.plan = model.plan;
  out.standing = model.standing;
  out.shift_at = model.shift_at > first ? model.shift_at - first : 0;
  out.shift_factor = model.shift_factor;
  out.shift_certain = model.shift_certain();
  return out;
}

}  // namespace liminal::forecast
