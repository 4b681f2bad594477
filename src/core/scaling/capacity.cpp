#include "core/scaling/capacity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/math.hpp"
#include "core/stats/normal.hpp"

namespace liminal::scaling {
namespace {

constexpr double kDecayPerMinute = 1 - 1. / 1440;
/// Minutes before a line is believed at all.
constexpr double kPointsMin = 30;
/// Standard errors that a slope must be above zero.
constexpr double kSlopeErrors = 3;
/// How much the load must have varied, relative to its mean.
constexpr double kSpreadMin = .05;
/// What is assumed of a proportional law: half of it could be there without load.
constexpr double kProportionalError = .25;
/// A mean over a minute and the instances that is not less than that of what there is was at its
/// end for a part of them.
constexpr double kSaturated = .95;
/// And what is clearly more than that was not at its end: it is told of a part, as of what a
/// container asked for.
constexpr double kNotCapped = 1.05;
/// How much of what the last half hour uses more is not sure at other loads.
constexpr double kShiftUnsure = .25;
/// How often costs are looked at, and for how long they must have been higher to stay so.
constexpr std::uint32_t kWatchMinutes = 10, kDearerMinutes = 180;
/// A line of fewer levels of load does not know what it does not fit.
constexpr std::size_t kLevelsMin = 3;
/// A limit is right when it is not further off than that.
constexpr double kRight = .25;

std::string key(std::string_view at, std::string_view name) {
  return std::string(at) + "." + std::string(name);
}

}  // namespace

std::string_view name(Resource resource) {
  switch (resource) {
    case Resource::kCpu:
      return "cpu";
    case Resource::kMemory:
      return "memory";
    case Resource::kResponseTime:
      return "response_time";
  }
  return "unknown";
}

Problems validate(const CapacityOptions& options, std::string_view at) {
  Problems problems;
  const auto share = [&](std::string_view name, double value) {
    if (!(value > 0 && value < 1))
      problems.push_back({key(at, name), "must be above 0 and below 1"});
  };
  share("cpu_max_ratio", options.cpu_max_ratio);
  share("memory_max_ratio", options.memory_max_ratio);
  share("saturation_max_ratio", options.saturation_max_ratio);
  if (!(options.response_time_max_s >= 0 && options.response_time_max_s <= 86'400))
    problems.push_back({key(at, "response_time_max_s"), "must be 0 (not limited) to 86400"});
  return problems;
}

void CapacityModel::observe(const Observation& observed) {
  for (LoadLine& one : lines_) one.decay(kDecayPerMinute);
  since_.decay(kDecayPerMinute);
  const auto is_used_up = [](std::optional<double> use) {
    return use && *use >= kSaturated && *use <= kNotCapped;
  };
  // Full memory leaves no work behind.
  const bool saturated = is_used_up(observed.cpu_ratio);
  const bool settles = was_saturated_ && !saturated;
  was_saturated_ = saturated;
  // A point of an idle instance says nothing of what work costs.
  if (!(observed.load > 0) || settles) return;
  const auto add = [&](Resource resource, std::optional<double> value, bool bound) {
    if (!value) return;
    const auto add_to = [&](LoadLine& to) {
      if (bound) {
        to.add_bound(observed.load, *value);
      } else {
        to.add(observed.load, *value);
      }
    };
    const bool apart = resource == Resource::kCpu && 0 < dearer_ && dearer_ < kDearerMinutes;
    add_to(apart ? since_ : lines_[static_cast<std::size_t>(resource)]);
  };
  const auto add_use = [&](Resource resource, std::optional<double> use) {
    // How far what was asked went beyond its end is not seen in it.
    add(resource, is_used_up(use) ? std::optional(kSaturated) : use, is_used_up(use));
  };
  add_use(Resource::kCpu, observed.cpu_ratio);
  if (observed.cpu_ratio) {
    recent_cpu_.add(observed.load, *observed.cpu_ratio);
    watch_costs();
  }
  add_use(Resource::kMemory, observed.memory_ratio);
  if (observed.response_time_s && *observed.response_time_s > 0)
    add(Resource::kResponseTime, 1 / *observed.response_time_s, is_used_up(observed.cpu_ratio));
}

std::optional<LoadLine::Fit> CapacityModel::law_of_day(Resource resource) const {
  const LoadLine& data = line(resource);
  if (data.points() < kPointsMin) return std::nullopt;
  const auto fit = data.fit(kSpreadMin);
  const double slope = fit ? (resource == Resource::kResponseTime ? -fit->slope : fit->slope) : 0;
  if (!fit || !(slope > kSlopeErrors * fit->slope_error)) return std::nullopt;
  if (resource != Resource::kCpu && fit->levels < kLevelsMin) return std::nullopt;
  if (resource == Resource::kResponseTime) return fit->intercept > 0 ? fit : std::nullopt;
  if (fit->intercept >= 0) return fit;
  // Less than nothing without load is noise: the line leads through the origin and the points'
  // middle.
  LoadLine::Fit through = *fit;
  through.slope = fit->at(fit->centre) / fit->centre;
  through.intercept = 0;
  return through.slope > 0 ? std::optional(through) : std::nullopt;
}

std::optional<RecentUse::Shift> CapacityModel::dearer() const {
  const auto fit = law_of_day(Resource::kCpu);
  return fit ? recent_cpu_.shift(*fit) : std::nullopt;
}

std::optional<LoadLine::Fit> CapacityModel::law(Resource resource) const {
  auto fit = law_of_day(resource);
  if (!fit || resource != Resource::kCpu) return fit;
  const auto shift = recent_cpu_.shift(*fit);
  if (!shift) return fit;
  fit->intercept = shift->factor * fit->intercept + shift->offset;
  fit->slope *= shift->factor;
  fit->slope_error *= shift->factor;
  fit->centre_variance *= shift->factor * shift->factor;
  const double unsure = kShiftUnsure * shift->size;
  fit->misfit_variance += unsure * unsure;
  return fit;
}

/// Minutes that use more than the day says are kept apart, for as long as they may be a batch
/// job's. A request that has cost more for longer does so for good: what was before says nothing
/// then.
void CapacityModel::watch_costs() {
  if (++minutes_ < kWatchMinutes) return;
  minutes_ = 0;
  const auto shift = dearer();
  dearer_ = shift ? std::min(dearer_ + kWatchMinutes, kDearerMinutes) : 0;
  if (0 < dearer_ && dearer_ < kDearerMinutes) return;
  if (shift && shift->factor > 1 && since_.points() >= kPointsMin) {
    lines_[static_cast<std::size_t>(Resource::kCpu)] = since_;
    dearer_ = 0;
  }
  since_ = LoadLine{};
}

/// What a unit of load uses where no line is known.
double CapacityModel::proportional(Resource resource) const {
  LoadLine::Fit through;
  through.slope = line(resource).proportional();
  const auto shift = resource == Resource::kCpu ? recent_cpu_.shift(through) : std::nullopt;
  return shift ? through.slope * shift->factor : through.slope;
}

bool CapacityModel::could_be_proportional() const {
  const LoadLine& cpu = line(Resource::kCpu);
  const double slope = cpu.proportional();
  if (cpu.points() < kPointsMin || !(slope > 0)) return false;
  const auto fit = cpu.fit(kSpreadMin);
  return !fit || fit->slope + kSlopeErrors * fit->slope_error >= slope;
}

std::optional<CapacityModel::Limit> CapacityModel::limit_of_response(
    const CapacityOptions& options) const {
  const auto fit = law(Resource::kResponseTime);
  if (!fit) return std::nullopt;
  double load = options.saturation_max_ratio * fit->intercept / -fit->slope;
  if (options.response_time_max_s > 0)
    load = std::min(load, (fit->intercept - 1 / options.response_time_max_s) / -fit->slope);
  if (!(load > 0) || !std::isfinite(load)) return std::nullopt;
  return Limit{load, fit->error_at(load) / (-fit->slope * load), false};
}

std::optional<CapacityModel::Limit> CapacityModel::limit(Resource resource,
                                                         const CapacityOptions& options) const {
  if (resource == Resource::kResponseTime) return limit_of_response(options);
  const bool is_cpu = resource == Resource::kCpu;
  const double use_max = is_cpu ? options.cpu_max_ratio : options.memory_max_ratio;
  const LoadLine& data = line(resource);
  if (const auto fit = law(resource)) {
    if (fit->intercept >= use_max) return std::nullopt;
    const double load = (use_max - fit->intercept) / fit->slope;
    const Limit limit{load, fit->error_at(load) / (fit->slope * load), false};
    if (fit->levels >= kLevelsMin) return limit;
    // Two levels lie on any line: a part of what seems to be there without load, or that more load
    // hardly costs more, may be minutes that were beyond the end for a part.
    const double through = use_max / proportional(resource);
    return Limit{
        std::min(load, through), std::max(limit.error, kProportionalError), through < load};
  }
  if (!is_cpu) return std::nullopt;
  std::optional<Limit> found;
  if (could_be_proportional())
    found = Limit{use_max / proportional(resource), kProportionalError, true};
  // Whose CPU was never below its end takes less than was asked of it.
  if (data.bounds() >= kPointsMin && (found || data.points() < kPointsMin)) {
    const double load = use_max * data.low_bound();
    if (!found || load < found->load) found = Limit{load, kProportionalError, true};
  }
  return found;
}

std::optional<CapacityModel::Bottleneck> CapacityModel::bottleneck(
    const CapacityOptions& options) const {
  std::array<std::optional<Limit>, kResources> limits;
  std::optional<Bottleneck> first;
  for (std::size_t i = 0; i < kResources; ++i) {
    limits[i] = limit(Resource(i), options);
    if (limits[i] && (!first || limits[i]->load < first->limit.load))
      first = Bottleneck{Resource(i), *limits[i], 1};
  }
  if (!first) return std::nullopt;
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto& other = limits[i];
    if (!other || Resource(i) == first->resource) continue;
    const double a = first->limit.error * first->limit.load, b = other->error * other->load;
    const double error = std::max(sqrt(a * a + b * b), 1e-12 * other->load);
    first->confidence *= stats::normal_below((other->load - first->limit.load) / error);
  }
  const double reach = kRight / std::max(first->limit.error, 1e-6);
  first->confidence *= 2 * stats::normal_below(reach) - 1;
  if (first->limit.proportional) first->confidence *= .5;
  return first;
}

bool CapacityModel::is_observed(Resource resource) const {
  return line(resource).points() + line(resource).bounds() >= kPointsMin;
}

bool CapacityModel::has_varied(Resource resource) const {
  const auto fit =
      line(resource).points() >= kPointsMin ? line(resource).fit(kSpreadMin) : std::nullopt;
  return fit && fit->levels >= kLevelsMin;
}

bool CapacityModel::is_observed() const {
  return is_observed(Resource::kCpu) || is_observed(Resource::kResponseTime);
}

std::optional<double> CapacityModel::response_time_s(double load) const {
  const auto fit = law(Resource::kResponseTime);
  if (!fit) return std::nullopt;
  const double reciprocal = fit->at(load);
  if (!(reciprocal > 0)) return std::numeric_limits<double>::infinity();
  return 1 / reciprocal;
}

std::optional<double> CapacityModel::use_ratio(Resource resource, double load) const {
  const LoadLine& data = line(resource);
  if (resource == Resource::kResponseTime || data.points() < kPointsMin) return std::nullopt;
  if (const auto fit = law(resource)) return fit->at(load);
  // It does not depend on the load, or was seen at one only.
  if (resource == Resource::kCpu && could_be_proportional()) return proportional(resource) * load;
  return data.fit(kSpreadMin) ? std::optional(data.mean()) : std::nullopt;
}

void CapacityModel::save(Writer& out) const {
  for (const LoadLine& one : lines_) one.save(out);
  out.put(was_saturated_);
  recent_cpu_.save(out);
  since_.save(out);
  out.put(minutes_);
  out.put(dearer_);
}

Result<void> CapacityModel::load(Reader& in) {
  if (const auto loaded = load_lines(in); !loaded) return loaded;
  if (const auto loaded = recent_cpu_.load(in); !loaded) return loaded;
  if (const auto loaded = since_.load(in); !loaded) return loaded;
  in.get(minutes_);
  in.get(dearer_);
  if (minutes_ >= kWatchMinutes || dearer_ > kDearerMinutes) in.fail();
  return in.finish();
}

Result<void> CapacityModel::load_lines(Reader& in) {
  for (LoadLine& one : lines_) {
    if (const auto loaded = one.load(in); !loaded) return loaded;
  }
  was_saturated_ = in.get<std::uint8_t>() != 0;
  recent_cpu_ = {};
  since_ = LoadLine{};
  minutes_ = dearer_ = 0;
  return in.finish();
}

Result<void> CapacityModel::load_sums(Reader& in) {
  for (LoadLine& one : lines_) {
    std::array<double, 7> sums{};
    for (double& sum : sums) {
      in.get(sum);
      if (!std::isfinite(sum)) in.fail();
    }
    if (!(sums[0] >= 0) || !(sums[1] >= 0)) in.fail();
    if (!in.ok()) return in.finish();
    one.begin_with(sums);
  }
  was_saturated_ = false;
  return in.finish();
}

}  // namespace liminal::scaling
