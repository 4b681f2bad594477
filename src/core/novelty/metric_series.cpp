#include "core/novelty/metric_series.hpp"

#include <algorithm>
#include <cmath>

namespace liminal::novelty {
namespace {

/// Ordinary points between two incidents, and how often an equal one is told.
constexpr std::uint16_t kCalmPoints = 5;
constexpr std::uint8_t kRepeatsMax = 3;
/// Where the saved number of repeats has whether the incident was told.
constexpr std::uint8_t kToldBit = 0x80;
/// What follows in the saved state, and how it is meant.
constexpr std::uint8_t kCounterBit = 1, kSilentBit = 2, kSentBit = 4;
/// An incident may come back for so many units of belief.
constexpr double kIncidentMemory = 1;

}  // namespace

Problems validate(const SeriesSettings& settings) {
  Problems problems;
  if (settings.range) {
    const bool finite = std::isfinite(settings.range->low) && std::isfinite(settings.range->high) &&
                        std::isfinite(settings.range->high - settings.range->low);
    if (!finite) problems.push_back({"max", "must be a finite distance from min"});
    if (finite && !(settings.range->low < settings.range->high))
      problems.push_back({"max", "must be above min"});
  }
  if (!(settings.alarms_per_week >= 0 && settings.alarms_per_week <= 1e4))
    problems.push_back({"alarms_per_week", "must be 0 (not told) to 10000"});
  return problems;
}

MetricSeries::MetricSeries(const SeriesSettings& settings) { configure(settings); }

void MetricSeries::configure(const SeriesSettings& settings) {
  const bool counter = settings.counter.value_or(sent_as_counter_);
  if (counter != counter_) {
    // Its numbers mean something else now.
    detector_ = MetricDetector();
    incident_ = {};
    last_ns_ = kNever;
    range_.reset();
  }
  counter_ = counter;
  if (settings.range && settings.range != range_) detector_.declare(*settings.range);
  range_ = settings.range;
  alarms_per_week_ = settings.alarms_per_week;
  const std::int64_t until =
      settings.suppress_until ? settings.suppress_until->time_since_epoch().count() : kNever;
  if (last_ns_ < suppress_until_ns_ && until <= last_ns_) detector_.interrupt();
  suppress_until_ns_ = until;
  line_ = alarms_per_week_ > 0 ? static_cast<float>(budget_.line(alarms_per_week_)) : 1;
}

SeriesSettings MetricSeries::settings() const {
  SeriesSettings told{range_, alarms_per_week_, counter_, {}};
  if (suppress_until_ns_ != kNever) told.suppress_until = EventTime{Duration{suppress_until_ns_}};
  return told;
}

double MetricSeries::seconds_since_last(EventTime at) const {
  return last_ns_ == kNever ? 0 : seconds_between(EventTime{Duration{last_ns_}}, at);
}

double MetricSeries::seen(double value, EventTime at) const {
  if (!counter_ || !std::isfinite(value)) return value;
  const double elapsed = seconds_since_last(at);
  // How long a counter that began again was away is not known, so neither is its rate.
  if (!(elapsed > 0) || value < last_value_) return std::numeric_limits<double>::quiet_NaN();
  return (value - last_value_) / elapsed;
}

void MetricSeries::pass_time(EventTime at) {
  const double elapsed = seconds_since_last(at);
  if (interval_.is_gap(elapsed)) {
    detector_.interrupt();
    incident_ = {};
  }
  interval_.learn(elapsed);
  if (elapsed > 0 || last_ns_ == kNever) last_ns_ = at.time_since_epoch().count();
}

/// What happened before happens again: judged by levels it would be ordinary by now.
bool MetricSeries::recurs(double value) {
  Incident& incident = incident_;
  if (incident.score == 0) return false;
  const double remembered =
      kIncidentMemory * static_cast<double>(MetricDetector::belief_points(points()));
  if (++incident.age > remembered) {
    incident = {};
    return false;
  }
  if (incident.ordinary.holds(value)) {
    if (incident.calm < kCalmPoints) ++incident.calm;
    return false;
  }
  const auto depth = static_cast<double>(incident.depth);
  const double out = value > incident.ordinary.high ? value - incident.ordinary.high
                                                    : value - incident.ordinary.low;
  const bool as_far = depth > 0 ? out >= depth / 2 : out <= depth / 2;
  const bool again = as_far && incident.calm >= kCalmPoints && incident.repeats < kRepeatsMax;
  incident.calm = 0;
  if (!again) return false;
  ++incident.repeats;
  incident.age = 0;
  return true;
}

void MetricSeries::begin_incident(double value, const std::optional<Range>& ordinary, float score) {
  if (!ordinary || ordinary->holds(value)) return;
  const double out = value > ordinary->high ? value - ordinary->high : value - ordinary->low;
  incident_ = {};
  incident_.ordinary = *ordinary;
  incident_.score = score;
  incident_.depth = static_cast<float>(out);
}

SeriesScore MetricSeries::step(double value, EventTime at, double alarms_per_week) {
  SeriesScore out;
  if (!std::isfinite(value)) {
    if (points() > 0 && detector_.expected()) out.state = MetricScore::State::kNormal;
    return out;
  }
  const double elapsed = seconds_since_last(at);
  const double observed = interval_.observed_weeks(elapsed);
  const bool first = last_ns_ == kNever;
  const double point =
      first && counter_ ? std::numeric_limits<double>::quiet_NaN() : seen(value, at);
  if (!counter_ || first || elapsed > 0) last_value_ = value;
  const bool silent = suppressed(at);
  // What nobody was told of holds nothing back.
  if (!first && !silent && last_ns_ < suppress_until_ns_) detector_.interrupt();
  pass_time(at);
  const std::optional<Range> ordinary =
      detector_.is_ordinary(point) ? std::nullopt : detector_.expected(point);
  const MetricScore judged = detector_.step(point);
  float emitted = judged.score;
  if (std::isfinite(point) && recurs(point)) {
    out.again = incident_.told;
    emitted = std::max(emitted, incident_.score);
  }
  if (!silent) budget_.learn(static_cast<double>(emitted), observed);
  const double wished = alarms_per_week_ > 0 ? alarms_per_week_ : alarms_per_week;
  if (wished == 0) {
    line_ = 1;
  } else if (emitted > 0 || points() % 256 == 0) {
    line_ = static_cast<float>(budget_.line(wished));
  }

  out.state = judged.state;
  out.novelty = judged.novelty;
  out.evidence = judged.evidence;
  out.doubtful = judged.doubtful;
  out.deviation = judged.deviation;
  out.few_levels = judged.few_levels;
  const auto on_line = [&](float score) {
    return std::min(score / line_, static_cast<float>(kScoreMax));
  };
  out.rarity = on_line(std::max(judged.rarity, emitted));
  out.score = on_line(emitted);
  if (judged.state == MetricScore::State::kLearning) {
    if (silent) out.score = 0;
    return out;
  }
  if (out.score >= 1 && silent) {
    if (emitted == judged.score) begin_incident(point, ordinary, emitted);
    out.score = 0;
    out.again = false;
    out.state = MetricScore::State::kOngoing;
  } else if (out.score >= 1) {
    out.state = MetricScore::State::kNew;
    if (emitted == judged.score) begin_incident(point, ordinary, emitted);
  } else {
    out.again = false;
    const double held = static_cast<double>(MetricDetector::kDefaults.hold *
                                            MetricDetector::belief_points(points()));
    const bool lasts =
        incident_.score > 0 && incident_.age <= held && !incident_.ordinary.holds(point);
    out.state =
        out.rarity >= 1 || lasts ? MetricScore::State::kOngoing : MetricScore::State::kNormal;
  }
  return out;
}

std::optional<Range> MetricSeries::expected(double value, EventTime at) const {
  const double point = seen(value, at);
  auto range = detector_.expected(point);
  if (!range || !counter_) return range;
  const double elapsed = seconds_since_last(at);
  const double from = value >= last_value_ ? last_value_ : 0;
  return Range{from + std::max(0., range->low) * elapsed,
               from + std::max(0., range->high) * elapsed};
}

void MetricSeries::save(Writer& out) const {
  out.put(range_.has_value());
  const Range range = range_.value_or(Range{});
  for (const double value : {range.low,
                             range.high,
                             alarms_per_week_,
                             last_value_,
                             incident_.ordinary.low,
                             incident_.ordinary.high})
    out.put(value);
  out.put(last_ns_);
  out.put(incident_.score);
  out.put(incident_.depth);
  interval_.save(out);
  out.put(line_);
  out.put(incident_.age);
  out.put(incident_.calm);
  out.put(static_cast<std::uint8_t>(incident_.repeats | (incident_.told ? kToldBit : 0)));
  const bool silent = suppress_until_ns_ != kNever;
  out.put(static_cast<std::uint8_t>((counter_ ? kCounterBit : 0) | (silent ? kSilentBit : 0) |
                                    (sent_as_counter_ ? kSentBit : 0)));
  if (silent) out.put(suppress_until_ns_);
  budget_.save(out);
  detector_.save(out);
}

Result<void> MetricSeries::load(Reader& in) {
  MetricSeries read;
  const bool ranged = in.get<std::uint8_t>() != 0;
  Range range;
  for (double* value : {&range.low,
                        &range.high,
                        &read.alarms_per_week_,
                        &read.last_value_,
                        &read.incident_.ordinary.low,
                        &read.incident_.ordinary.high})
    in.get(*value);
  if (ranged) read.range_ = range;
  in.get(read.last_ns_);
  in.get(read.incident_.score);
  in.get(read.incident_.depth);
  read.interval_.load(in);
  in.get(read.line_);
  in.get(read.incident_.age);
  in.get(read.incident_.calm);
  const auto repeats = in.get<std::uint8_t>();
  read.incident_.told = (repeats & kToldBit) != 0;
  read.incident_.repeats = repeats & static_cast<std::uint8_t>(~kToldBit);
  const auto flags = in.get<std::uint8_t>();
  read.counter_ = (flags & kCounterBit) != 0;
  read.sent_as_counter_ = (flags & kSentBit) != 0;
  if ((flags & kSilentBit) != 0) in.get(read.suppress_until_ns_);
  read.budget_.load(in);
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  const bool sane = validate(read.settings()).empty() && std::isfinite(read.last_value_) &&
                    read.incident_.score >= 0 && std::isfinite(read.incident_.score) &&
                    read.incident_.ordinary.low <= read.incident_.ordinary.high &&
                    !std::isnan(read.incident_.depth) && read.line_ > .01F && read.line_ < 1e3F;
  if (!sane) return failure(ErrorCode::kMalformed, in.position());
  if (auto loaded = read.detector_.load(in); !loaded) return loaded;
  *this = read;
  return {};
}

}  // namespace liminal::novelty
