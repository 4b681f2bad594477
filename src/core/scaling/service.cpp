#include "core/scaling/service.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::scaling {
namespace {

/// Reports further apart than that leave missing minutes, and one older than that is none of now.
constexpr std::int64_t kInterpolatedMinutes = 15;
constexpr std::uint32_t kStabilisationMax = 60;
/// Before so long nothing is said of a service that tells its CPU only.
constexpr std::uint64_t kCpuMinutesMin = 30;
/// Checked minutes at which half of the confidence is there.
constexpr double kConfidenceMinutes = 240;
constexpr double kWeekS = 7 * 86'400.;
/// After so long the load is taken from what is told instead of what was: one row is no change.
constexpr std::int64_t kRequestsBegunMinutes = 10, kRequestsEndedMinutes = 1440;

/// The third does not know what requests cost of late; the second has sums of lines for the
/// capacity and no days of what resources do.
constexpr std::uint8_t kFormat = 4, kFormatOfLines = 3, kFormatOfSums = 2;
/// What a saved service may have seen, in minutes from 1970: 190 years to either side.
constexpr std::int64_t kMinuteMax = 100'000'000;

/// The minutes of the last week of which the load is known, oldest first.
template <class Take>
void each_minute(const LoadHistory& history, const Take& take) {
  const auto minutes =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(history.minutes(), LoadHistory::kWeek));
  for (std::uint32_t ago = minutes; ago-- > 0;) {
    if (const auto load = history.load_before(ago)) take(history.last_minute() - ago, *load);
  }
}

}  // namespace

std::int64_t minute_of(EventTime at) {
  return std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
}

std::string_view name(Action action) {
  switch (action) {
    case Action::kMonitor:
      return "monitor";
    case Action::kMaintain:
      return "maintain";
    case Action::kScaleUp:
      return "scale_up";
    case Action::kScaleDown:
      return "scale_down";
  }
  return "unknown";
}

double operating_point(const ServiceOptions& options) {
  return std::clamp(options.shortage_cost / (options.shortage_cost + 1), .3, .99999);
}

Problems validate(const ServiceOptions& options, std::string_view at) {
  const std::string prefix = at.empty() ? "" : std::string(at) + ".";
  Problems problems;
  const auto check = [&](bool good, std::string_view key, std::string_view text) {
    if (!good) problems.push_back({prefix + std::string(key), std::string(text)});
  };
  check(options.replicas_max >= 1 && options.replicas_max <= 100'000,
        "replicas_max",
        "must be 1 to 100000");
  check(
      options.replicas_min <= options.replicas_max, "replicas_min", "must not exceed replicas_max");
  check(options.shortage_cost >= .5 && options.shortage_cost <= 99'999,
        "shortage_cost",
        "must be .5 to 99999");
  check(options.cooldown >= Duration{0} && options.cooldown <= std::chrono::hours{24},
        "cooldown_s",
        "must be 0 to 86400");
  check(options.stabilisation_minutes >= 1 && options.stabilisation_minutes <= kStabilisationMax,
        "stabilisation_minutes",
        "must be 1 (none) to 60");
  check(options.reactive_target_ratio > 0 && options.reactive_target_ratio <= 1,
        "reactive_target_ratio",
        "must be above 0, at most 1");
  for (Problem& problem : validate(options.capacity, prefix + "capacity"))
    problems.push_back(std::move(problem));
  return problems;
}

bool Service::observe(EventTime at, const Observation& observed, const ServiceOptions& options) {
  const std::int64_t minute = minute_of(at);
  if (observations_ > 0 && minute < open_minute_) return false;
  if (observations_ > 0 && minute > open_minute_) close_minute(options);
  if (observations_ == 0) first_minute_ = minute;
  open_minute_ = minute;
  ++observations_;
  rate_.add(observed.request_rate);
  cpu_mean_.add(observed.cpu_ratio);
  memory_mean_.add(observed.memory_ratio);
  response_.add(observed.response_time_s);
  replicas_mean_.add(observed.replicas);
  if (observed.replicas) {
    if (replicas_ && *observed.replicas > *replicas_) grew_at_ = at;
    replicas_ = observed.replicas;
  }
  choose_kind();
  return true;
}

void Service::choose_kind() {
  const bool has_rate = rate_.count > 0, has_cpu = cpu_mean_.count > 0 && replicas_;
  if (kind_ == LoadKind::kUnknown) {
    if (has_rate) {
      kind_ = LoadKind::kRequests;
    } else if (has_cpu) {
      kind_ = LoadKind::kCpu;
    }
    return;
  }
  const bool is_other = (kind_ == LoadKind::kRequests) != has_rate;
  if (!is_other) return other_kind_since_.reset();
  if (!has_rate && !has_cpu) return;
  if (!other_kind_since_) other_kind_since_ = open_minute_;
  if (open_minute_ - *other_kind_since_ <
      (has_rate ? kRequestsBegunMinutes : kRequestsEndedMinutes))
    return;
  kind_ = has_rate ? LoadKind::kRequests : LoadKind::kCpu;
  forget_load();
}

void Service::forget_load() {
  model_ = LoadModel(model_.horizon());
  planner_ = {};
  orders_.clear();
  other_kind_since_.reset();
}

std::optional<double> Service::open_load() const {
  if (kind_ == LoadKind::kRequests) return rate_.value();
  const auto cpu = cpu_mean_.value();
  if (kind_ == LoadKind::kCpu && cpu && replicas_)
    return *cpu * replicas_mean_.value().value_or(*replicas_);
  return std::nullopt;
}

std::optional<double> Service::present_load() const {
  if (const auto load = open_load()) return load;
  return model_.history().load_before(0);
}

void Service::close_minute(const ServiceOptions& options) {
  const auto load = open_load();
  if (const auto cpu = cpu_mean_.value()) cpu_.observe(open_minute_, *cpu);
  if (const auto memory = memory_mean_.value()) memory_.observe(open_minute_, *memory);
  const double replicas = replicas_mean_.value().value_or(replicas_.value_or(0));
  if (load && kind_ == LoadKind::kRequests && replicas > 0)
    capacity_.observe(
        {*load / replicas, cpu_mean_.value(), memory_mean_.value(), response_.value()});
  if (load) learn_load(open_minute_, *load, options);
  rate_ = cpu_mean_ = memory_mean_ = response_ = replicas_mean_ = {};
}

void Service::learn_load(std::int64_t minute, double load, const ServiceOptions& options) {
  // Of requests it is the same for all minutes that are filled; by CPU it may be known on the way.
  std::optional<std::optional<CapacityModel::Bottleneck>> of_requests;
  const auto step = [&](std::int64_t at, double value) {
    if (!model_.step(at, value)) return;
    const bool by_requests = kind_ == LoadKind::kRequests;
    if (by_requests && !of_requests) of_requests = bottleneck(options);
    const auto limit = by_requests ? *of_requests : bottleneck(options);
    if (!limit) return;
    const PlanOptions plan{operating_point(options), options.replicas_min, options.replicas_max};
    orders_.push_back(planner_.next(model_, value, limit->limit.load, plan).replicas);
    if (orders_.size() > kStabilisationMax) orders_.pop_front();
  };
  const LoadHistory& history = model_.history();
  if (history.minutes() > 0) {
    const std::int64_t last = history.last_minute(), gap = minute - last;
    if (gap > 1 && gap <= kInterpolatedMinutes) {
      for (std::int64_t i = 1; i < gap; ++i)
        step(last + i,
             last_load_ + (load - last_load_) * static_cast<double>(i) / static_cast<double>(gap));
    }
  }
  step(minute, load);
  last_load_ = load;
}

std::optional<CapacityModel::Bottleneck> Service::bottleneck(const ServiceOptions& options) const {
  // Load in instances' worth of CPU: an instance takes what it may be used.
  if (kind_ == LoadKind::kCpu) {
    if (model_.history().known_minutes() < kCpuMinutesMin) return std::nullopt;
    return CapacityModel::Bottleneck{Resource::kCpu, {options.capacity.cpu_max_ratio, 0, false}, 1};
  }
  return capacity_.bottleneck(options.capacity);
}

void Service::change_horizon(std::uint32_t minutes) {
  if (minutes == model_.horizon()) return;
  const LoadModel old = std::move(model_);
  model_ = LoadModel(minutes);
  planner_ = {};
  orders_.clear();
  each_minute(old.history(),
              [this](std::int64_t minute, double load) { model_.step(minute, load); });
}

bool Service::knows(std::int64_t minute) const {
  const LoadHistory& history = model_.history();
  if (observations_ == 0 || minute < first_minute_) return false;
  const std::int64_t ago = history.last_minute() - minute;
  if (history.minutes() == 0 || ago < 0) return false;
  return ago > LoadHistory::kWeek || history.load_before(static_cast<std::uint32_t>(ago));
}

std::optional<Observation> Service::remembered(std::int64_t minute) const {
  const LoadHistory& history = model_.history();
  const std::int64_t ago = history.last_minute() - minute;
  if (history.minutes() == 0 || ago < 0 || ago > LoadHistory::kWeek) return std::nullopt;
  const auto load = history.load_before(static_cast<std::uint32_t>(ago));
  if (!load) return std::nullopt;
  Observation out;
  if (kind_ == LoadKind::kRequests) {
    out.request_rate = *load;
  } else {
    out.replicas = std::max(1., replicas_.value_or(1));
    out.cpu_ratio = *load / *out.replicas;
  }
  return out;
}

bool Service::begin_with(Service earlier, const ServiceOptions& options) {
  LIMINAL_CHECK(earlier.model_.horizon() == model_.horizon());
  LIMINAL_CHECK(earlier.observations_ > 0 && earlier.open_minute_ < open_minute_);
  earlier.close_minute(options);
  const auto known = [](const Service& one) { return one.model_.history().known_minutes(); };
  if (known(earlier) <= known(*this) || (kind_ != LoadKind::kUnknown && kind_ != earlier.kind_))
    return false;
  const std::int64_t told_until = earlier.open_minute_;
  each_minute(model_.history(), [&](std::int64_t minute, double load) {
    if (minute > told_until) earlier.learn_load(minute, load, options);
  });
  earlier.first_minute_ = std::min(earlier.first_minute_, first_minute_);
  earlier.other_kind_since_ = other_kind_since_;
  earlier.open_minute_ = open_minute_;
  earlier.rate_ = rate_;
  earlier.cpu_mean_ = cpu_mean_;
  earlier.memory_mean_ = memory_mean_;
  earlier.response_ = response_;
  earlier.replicas_mean_ = replicas_mean_;
  if (replicas_) {
    earlier.replicas_ = replicas_;
    earlier.grew_at_ = grew_at_;
  }
  earlier.observations_ += observations_;
  *this = std::move(earlier);
  return true;
}

Advice Service::advise(EventTime now, const ServiceOptions& options) const {
  Advice advice;
  advice.horizon_minutes = model_.horizon();
  advice.bottleneck = bottleneck(options);
  if (model_.ready())
    advice.peak = {model_.peak(.9), model_.peak(.5), model_.peak(.1), model_.peak(.01)};
  const auto cpu = cpu_mean_.value();
  if (replicas_ && *replicas_ > 0 && cpu) {
    // Within a tenth of the target a reactive autoscaler stays, as Kubernetes' does.
    const double ratio = *cpu / options.reactive_target_ratio;
    const double wanted = std::abs(ratio - 1) <= .1 ? *replicas_ : std::ceil(*replicas_ * ratio);
    advice.reactive_replicas = static_cast<std::uint32_t>(
        std::clamp(wanted, double(options.replicas_min), double(options.replicas_max)));
  }
  choose(now, options, advice);
  explain(advice);
  return advice;
}

void Service::choose(EventTime now, const ServiceOptions& options, Advice& advice) const {
  using Kind = Reason::Kind;
  const auto why = [&advice](Kind kind, double a = 0, double b = 0) {
    advice.reasons.push_back({kind, a, b});
  };
  add_lacks(now, advice);
  if (!advice.reasons.empty()) {
    if (!replicas_) why(Kind::kReplicasUnknown);
    return;
  }
  const auto load = present_load();
  const double capacity = advice.bottleneck->limit.load;
  Planner planner = planner_;
  const PlanOptions options_of_plan{
      operating_point(options), options.replicas_min, options.replicas_max};
  const Plan plan = planner.next(model_, *load, capacity, options_of_plan);
  std::uint32_t wanted = plan.replicas;
  const double checked = static_cast<double>(model_.history().known_minutes());
  advice.confidence = checked / (checked + kConfidenceMinutes) *
                      std::max(0., 1 - 2 * advice.bottleneck->limit.error);
  why(Kind::kForecast, plan.load, 1 - tail_probability(model_, options_of_plan.operating_point));
  why(Kind::kCapacity, capacity);
  if (advice.bottleneck->resource == Resource::kCpu) {
    if (const auto dearer = capacity_.dearer()) why(Kind::kDearer, dearer->size, dearer->factor);
  }
  if (advice.bottleneck->limit.proportional) why(Kind::kProportional);
  if (plan.now >= plan.forecast) why(Kind::kNeededNow, plan.now);
  const double unbounded = std::max(plan.now, plan.forecast);
  if (unbounded < options.replicas_min) why(Kind::kAtMinimum, options.replicas_min);
  if (unbounded > options.replicas_max) why(Kind::kAtMaximum, options.replicas_max, unbounded);
  bool held = false;
  const std::size_t back = std::min<std::size_t>(orders_.size(), options.stabilisation_minutes - 1);
  for (std::size_t i = orders_.size() - back; i < orders_.size(); ++i) {
    if (orders_[i] > wanted && orders_[i] <= options.replicas_max) {
      wanted = orders_[i];
      held = true;
    }
  }
  if (held) why(Kind::kStabilised, wanted);
  advice.replicas = wanted;
  if (!replicas_) return why(Kind::kReplicasUnknown);
  if (wanted > *replicas_) {
    advice.action = Action::kScaleUp;
  } else if (wanted == *replicas_) {
    advice.action = Action::kMaintain;
  } else if (now - grew_at_ < options.cooldown) {
    const bool too_many = *replicas_ > options.replicas_max;
    advice.action = too_many ? Action::kScaleDown : Action::kMaintain;
    advice.replicas = too_many ? options.replicas_max : static_cast<std::uint32_t>(*replicas_);
    why(Kind::kCooldown, seconds(options.cooldown - (now - grew_at_)));
    if (too_many) why(Kind::kAboveMaximum, *replicas_, options.replicas_max);
  } else {
    advice.action = Action::kScaleDown;
  }
}

/// What is missing for an advice.
void Service::add_lacks(EventTime now, Advice& advice) const {
  using Kind = Reason::Kind;
  const auto why = [&advice](Kind kind, double a = 0, double b = 0) {
    advice.reasons.push_back({kind, a, b});
  };
  const LoadHistory& history = model_.history();
  const auto load = present_load();
  const std::int64_t silent =
      minute_of(now) - (open_load() || !load ? open_minute_ : history.last_minute());
  if (load && silent > kInterpolatedMinutes)
    return why(Kind::kLoadStale, static_cast<double>(silent));
  if (!load) why(Kind::kLoadUnknown);
  const auto known = static_cast<double>(history.known_minutes());
  const double needed = PeakResiduals::kWeightMin + model_.horizon();
  if (!model_.ready() && known < needed) why(Kind::kHistoryShort, known, needed);
  if (!model_.ready() && known >= needed) why(Kind::kHistorySparse, known);
  if (advice.bottleneck || kind_ == LoadKind::kCpu) return;
  if (kind_ == LoadKind::kRequests && history.unit() <= 0 && known >= needed) {
    why(Kind::kCapacityIdle);
  } else {
    why(capacity_.is_observed() ? Kind::kCapacityFlat : Kind::kCapacityUnknown);
  }
}

void Service::explain(Advice& advice) const {
  const auto load = present_load();
  if (load && replicas_ && *replicas_ > 0) {
    if (const auto expected = capacity_.response_time_s(*load / *replicas_))
      advice.reasons.push_back({Reason::Kind::kResponseTime, *expected, 0});
  }
  const auto passage = memory_.passage(1, kWeekS);
  if (passage && passage->expected_s && passage->probability >= .5)
    advice.reasons.push_back(
        {Reason::Kind::kMemoryLimit, *passage->expected_s, passage->probability});
}

std::size_t Service::memory_bytes() const {
  return sizeof *this - sizeof model_ + model_.memory_bytes() +
         orders_.size() * sizeof(std::uint32_t);
}

std::uint64_t Service::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

void Service::save(Writer& out) const {
  out.put(kFormat);
  model_.save(out);
  capacity_.save(out);
  cpu_.save(out);
  memory_.save(out);
  planner_.save(out);
  out.put_varint(orders_.size());
  for (const std::uint32_t order : orders_) out.put(order);
  out.put(kind_);
  out.put(other_kind_since_.has_value());
  out.put(other_kind_since_.value_or(0));
  out.put(first_minute_);
  out.put(open_minute_);
  for (const Mean* const mean : {&rate_, &cpu_mean_, &memory_mean_, &response_, &replicas_mean_}) {
    out.put(mean->sum);
    out.put(mean->count);
  }
  out.put(replicas_.has_value());
  out.put(replicas_.value_or(0));
  out.put(grew_at_.time_since_epoch().count());
  out.put(last_load_);
  out.put(observations_);
}

Result<void> Service::load(Reader& in) {
  const auto format = in.get<std::uint8_t>();
  const bool of_sums = format == kFormatOfSums, of_lines = format == kFormatOfLines;
  if (format != kFormat && !of_lines && !of_sums)
    return failure(ErrorCode::kUnsupported, in.position());
  if (const auto loaded = model_.load(in); !loaded) return loaded;
  const auto capacity = of_sums    ? capacity_.load_sums(in)
                        : of_lines ? capacity_.load_lines(in)
                                   : capacity_.load(in);
  if (!capacity) return capacity;
  for (ResourceUse* const use : {&cpu_, &memory_}) {
    if (const auto loaded = of_sums ? use->load_before(in) : use->load(in); !loaded) return loaded;
  }
  if (const auto loaded = planner_.load(in); !loaded) return loaded;
  const std::uint64_t orders = in.get_varint();
  if (orders > kStabilisationMax) in.fail();
  orders_.clear();
  for (std::uint64_t i = 0; in.ok() && i < orders; ++i) orders_.push_back(in.get<std::uint32_t>());
  const auto sensible = [&in](double& value) {
    in.get(value);
    if (!(value >= 0) || !std::isfinite(value)) in.fail();
  };
  in.get(kind_);
  if (kind_ > LoadKind::kCpu) in.fail();
  const bool changing = in.get<std::uint8_t>() != 0;
  const auto since = in.get<std::int64_t>();
  other_kind_since_ = changing ? std::optional(since) : std::nullopt;
  in.get(first_minute_);
  in.get(open_minute_);
  const auto observed = [&](std::int64_t minute) {
    return minute >= first_minute_ && minute <= open_minute_;
  };
  if (first_minute_ < -kMinuteMax || open_minute_ > kMinuteMax || !observed(open_minute_) ||
      (changing && !observed(since)))
    in.fail();
  for (Mean* const mean : {&rate_, &cpu_mean_, &memory_mean_, &response_, &replicas_mean_}) {
    sensible(mean->sum);
    sensible(mean->count);
  }
  const bool known = in.get<std::uint8_t>() != 0;
  double replicas = 0;
  sensible(replicas);
  if (replicas > Observation::kReplicasMax) in.fail();
  replicas_ = known ? std::optional(replicas) : std::nullopt;
  grew_at_ = EventTime{Duration{in.get<Duration::rep>()}};
  if (grew_at_ != EventTime{} && !observed(minute_of(grew_at_))) in.fail();
  sensible(last_load_);
  in.get(observations_);
  return in.finish();
}

}  // namespace liminal::scaling
