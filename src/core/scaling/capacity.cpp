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
/// What a constant may seem to change by, in parts of it.
constexpr double kRounding = 1e-6;
/// What is assumed of a proportional law: half of it could be there without load.
constexpr double kProportionalError = .25;

std::string key(std::string_view at, std::string_view name) {
  return std::string(at) + "." + std::string(name);
}

bool speaks(const FadingLine::Fit& fit) { return fit.slope > kSlopeErrors * fit.slope_error; }

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

void FadingLine::add(double x, double y, double weight) {
  points_ += 1;
  weight_ += weight;
  x_ += weight * x;
  y_ += weight * y;
  xx_ += weight * x * x;
  xy_ += weight * x * y;
  yy_ += weight * y * y;
}

void FadingLine::decay(double factor) {
  for (double* const sum : {&points_, &weight_, &x_, &y_, &xx_, &xy_, &yy_}) *sum *= factor;
}

std::optional<FadingLine::Fit> FadingLine::fit(double spread_min) const {
  if (points_ < 3 || !(weight_ > 0)) return std::nullopt;
  const double mean_x = x_ / weight_, mean_y = y_ / weight_;
  const double var_x = xx_ / weight_ - mean_x * mean_x;
  if (!(var_x > spread_min * spread_min * mean_x * mean_x) || !(var_x > 0)) return std::nullopt;
  Fit fit;
  fit.slope = (xy_ / weight_ - mean_x * mean_y) / var_x;
  fit.intercept = mean_y - fit.slope * mean_x;
  const double var_y = std::max(0., yy_ / weight_ - mean_y * mean_y);
  const double rest = std::max(0., var_y - fit.slope * fit.slope * var_x);
  fit.noise = sqrt(rest);
  fit.slope_error = std::max(sqrt(rest / var_x / std::max(1., points_ - 2)),
                             kRounding * std::abs(mean_y) / sqrt(var_x));
  return fit;
}

void FadingLine::save(Writer& out) const {
  for (const double sum : {points_, weight_, x_, y_, xx_, xy_, yy_}) out.put(sum);
}

Result<void> FadingLine::load(Reader& in) {
  for (double* const sum : {&points_, &weight_, &x_, &y_, &xx_, &xy_, &yy_}) {
    in.get(*sum);
    if (!std::isfinite(*sum)) in.fail();
  }
  if (!(points_ >= 0) || !(weight_ >= 0)) in.fail();
  return in.finish();
}

void CapacityModel::observe(const Observation& observed) {
  for (FadingLine& one : lines_) one.decay(kDecayPerMinute);
  // A point of an idle instance says nothing of what work costs.
  if (!(observed.load > 0)) return;
  const auto add = [&](Resource resource, std::optional<double> value) {
    if (value) lines_[static_cast<std::size_t>(resource)].add(observed.load, *value, 1);
  };
  add(Resource::kCpu, observed.cpu_ratio);
  add(Resource::kMemory, observed.memory_ratio);
  // Its errors are relative: those of the reciprocal count by the square of what is measured.
  if (observed.response_time_s && *observed.response_time_s > 0) {
    const double reciprocal = 1 / *observed.response_time_s;
    lines_[static_cast<std::size_t>(Resource::kResponseTime)].add(
        observed.load, reciprocal, 1 / (reciprocal * reciprocal));
  }
}

std::optional<CapacityModel::Limit> CapacityModel::limit(Resource resource,
                                                         const CapacityOptions& options) const {
  const FadingLine& data = line(resource);
  if (data.points() < kPointsMin) return std::nullopt;
  const auto fit = data.fit(kSpreadMin);
  if (resource == Resource::kResponseTime) {
    if (!fit || !(-fit->slope > kSlopeErrors * fit->slope_error)) return std::nullopt;
    const double saturation = fit->intercept / -fit->slope;
    double load = options.saturation_max_ratio * saturation;
    if (options.response_time_max_s > 0)
      load = std::min(load, (fit->intercept - 1 / options.response_time_max_s) / -fit->slope);
    if (!(load > 0) || !std::isfinite(load)) return std::nullopt;
    return Limit{load, fit->slope_error / -fit->slope, false};
  }
  const bool is_cpu = resource == Resource::kCpu;
  const double use_max = is_cpu ? options.cpu_max_ratio : options.memory_max_ratio;
  if (fit && speaks(*fit)) {
    // Less than nothing without load is noise.
    const bool below_zero = fit->intercept < 0;
    const double base = below_zero ? 0 : fit->intercept;
    const double slope = below_zero ? data.proportional() : fit->slope;
    if (base >= use_max) return std::nullopt;
    return Limit{(use_max - base) / slope, fit->slope_error / fit->slope, false};
  }
  if (is_cpu && !fit && data.proportional() > 0)
    return Limit{use_max / data.proportional(), kProportionalError, true};
  return std::nullopt;
}

std::optional<CapacityModel::Bottleneck> CapacityModel::bottleneck(
    const CapacityOptions& options) const {
  std::optional<Bottleneck> first;
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto found = limit(Resource(i), options);
    if (found && (!first || found->load < first->limit.load))
      first = Bottleneck{Resource(i), *found, 1};
  }
  if (!first) return std::nullopt;
  for (std::size_t i = 0; i < kResources; ++i) {
    if (Resource(i) == first->resource) continue;
    const auto other = limit(Resource(i), options);
    if (!other) continue;
    const double a = first->limit.error * first->limit.load, b = other->error * other->load;
    const double error = std::max(sqrt(a * a + b * b), 1e-12 * other->load);
    first->confidence *= stats::normal_below((other->load - first->limit.load) / error);
  }
  if (first->limit.proportional) first->confidence *= .5;
  return first;
}

bool CapacityModel::is_observed() const {
  return line(Resource::kCpu).points() >= kPointsMin ||
         line(Resource::kResponseTime).points() >= kPointsMin;
}

std::optional<double> CapacityModel::response_time_s(double load) const {
  const FadingLine& data = line(Resource::kResponseTime);
  if (data.points() < kPointsMin) return std::nullopt;
  const auto fit = data.fit(kSpreadMin);
  if (!fit) return std::nullopt;
  const double reciprocal = fit->intercept + fit->slope * load;
  if (!(reciprocal > 0)) return std::numeric_limits<double>::infinity();
  return 1 / reciprocal;
}

std::optional<double> CapacityModel::use_ratio(Resource resource, double load) const {
  const FadingLine& data = line(resource);
  if (resource == Resource::kResponseTime || data.points() < kPointsMin) return std::nullopt;
  const auto fit = data.fit(kSpreadMin);
  if (fit) return std::max(0., fit->intercept + fit->slope * load);
  return resource == Resource::kCpu ? std::optional(data.proportional() * load) : std::nullopt;
}

void CapacityModel::save(Writer& out) const {
  for (const FadingLine& one : lines_) one.save(out);
}

Result<void> CapacityModel::load(Reader& in) {
  for (FadingLine& one : lines_) {
    if (const auto loaded = one.load(in); !loaded) return loaded;
  }
  return in.finish();
}

}  // namespace liminal::scaling
