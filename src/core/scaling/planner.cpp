#include "core/scaling/planner.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::scaling {
namespace {

constexpr double kTailMax = .6;
/// Beyond it a forecast is a runaway of the regression, not knowledge.
constexpr double kWeekFactor = 1.5;
/// Margin over the present load, per decade of tail beyond one in ten.
constexpr double kMarginPerDecade = .2;
/// Part of the way down that a minute may take.
constexpr double kRelease = .6;
constexpr double kLn10 = 2.302585092994046;

std::string key(std::string_view at, std::string_view name) {
  return std::string(at) + "." + std::string(name);
}

}  // namespace

Problems validate(const PlanOptions& options, std::string_view at) {
  Problems problems;
  if (!(options.operating_point >= .3 && options.operating_point <= .99999))
    problems.push_back({key(at, "operating_point"), "must be .3 to .99999"});
  if (options.replicas_min > options.replicas_max)
    problems.push_back({key(at, "replicas_min"), "must not exceed replicas_max"});
  if (options.replicas_max < 1 || options.replicas_max > 100'000)
    problems.push_back({key(at, "replicas_max"), "must be 1 to 100000"});
  return problems;
}

double tail_probability(const LoadModel& model, double operating_point) {
  const double mean = std::max(model.history().mean_load(), 1e-9);
  const double relative = exp(model.history().level()) / mean;
  return std::min(kTailMax, (1 - operating_point) * sqrt(relative));
}

double load_to_cover(const LoadModel& model, double operating_point) {
  return std::min(model.peak(tail_probability(model, operating_point)),
                  kWeekFactor * model.history().highest_load());
}

Plan Planner::next(const LoadModel& model,
                   double load,
                   double capacity,
                   const PlanOptions& options) {
  LIMINAL_CHECK(capacity > 0);
  if (model.history().last_minute() != minute_) {
    before_ = covered_;
    minute_ = model.history().last_minute();
  }
  Plan out;
  covered_ = load_to_cover(model, options.operating_point);
  if (before_ > covered_) {
    const LoadHistory& history = model.history();
    const double from = history.log_of(before_);
    covered_ = history.load_of(from - kRelease * (from - history.log_of(covered_)));
    // For what is as good as none no instance is kept.
    if (covered_ < history.load_min()) covered_ = 0;
  }
  out.load = covered_;
  out.forecast = std::ceil(out.load / capacity);
  const double decades = -log(1 - options.operating_point) / kLn10 - 1;
  out.now = std::ceil(load * (1 + kMarginPerDecade * std::max(0., decades)) / capacity);
  out.replicas = static_cast<std::uint32_t>(std::clamp(std::max(out.forecast, out.now),
                                                       static_cast<double>(options.replicas_min),
                                                       static_cast<double>(options.replicas_max)));
  return out;
}

void Planner::save(Writer& out) const {
  out.put(minute_);
  out.put(before_);
  out.put(covered_);
}

Result<void> Planner::load(Reader& in) {
  in.get(minute_);
  for (double* const value : {&before_, &covered_}) {
    in.get(*value);
    if (!(*value >= -1) || !std::isfinite(*value)) in.fail();
  }
  return in.finish();
}

}  // namespace liminal::scaling
