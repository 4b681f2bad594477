#include "core/scaling/backtest.hpp"

#include <algorithm>
#include <cmath>

namespace liminal::scaling {
namespace {

constexpr std::array kOperatingPoints{.5, .75, .9, .95, .975, .99, .995, .998, .999, .9995, .9999};
constexpr std::array kUtilisations{.4, .5, .6, .7, .8, .85, .9, .95};
constexpr std::uint32_t kStabilisation = 10;
constexpr std::uint32_t kMinutesMin = 720;

/// The week's loads, oldest first; a missing one is the one before.
std::vector<double> loads_of(const LoadHistory& history) {
  std::vector<double> loads;
  const auto known =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(history.minutes(), LoadHistory::kWeek));
  for (std::uint32_t ago = known; ago-- > 0;) {
    const auto load = history.load_before(ago);
    if (load || !loads.empty()) loads.push_back(load ? *load : loads.back());
  }
  return loads;
}

/// One policy's orders and how they are judged.
class Judge {
 public:
  Judge(const std::vector<double>& loads, const Backtest& about) : about_(about) {
    for (const double load : loads)
      needed_.push_back(std::max(std::ceil(load / about.capacity), 1.));
  }

  [[nodiscard]] Elasticity operator()(const std::vector<double>& desired,
                                      std::uint32_t stabilisation) const {
    const std::vector<double> ready = supply(desired, stabilisation, about_.delay_minutes);
    return elasticity(std::span(needed_).subspan(about_.warm_up_minutes),
                      std::span(ready).subspan(about_.warm_up_minutes));
  }

 private:
  const Backtest& about_;
  std::vector<double> needed_;
};

}  // namespace

Result<Backtest> backtest(const Service& service, const ServiceOptions& options) {
  const auto limit = service.bottleneck(options);
  if (!limit) return failure(ErrorCode::kMissing);
  const LoadHistory& history = service.model().history();
  if (history.minutes() < kMinutesMin) return failure(ErrorCode::kConflict, kMinutesMin);
  const std::vector<double> loads = loads_of(history);
  Backtest out;
  out.minutes = static_cast<std::uint32_t>(loads.size());
  out.warm_up_minutes = std::min<std::uint32_t>(2 * LoadHistory::kDay, out.minutes / 3);
  out.delay_minutes = history.horizon();
  out.capacity = limit->limit.load;
  const Judge judge(loads, out);

  std::vector<double> points(kOperatingPoints.begin(), kOperatingPoints.end());
  points.push_back(operating_point(options));
  std::vector<std::vector<double>> desired(points.size());
  std::vector<Planner> planners(points.size());
  LoadModel model(out.delay_minutes);
  const std::int64_t first = history.last_minute() - out.minutes + 1;
  for (std::size_t t = 0; t < loads.size(); ++t) {
    model.step(first + static_cast<std::int64_t>(t), loads[t]);
    for (std::size_t k = 0; k < points.size(); ++k) {
      const PlanOptions plan{points[k],
                             k + 1 < points.size() ? 1 : options.replicas_min,
                             k + 1 < points.size() ? 100'000 : options.replicas_max};
      desired[k].push_back(planners[k].next(model, loads[t], out.capacity, plan).replicas);
    }
  }
  for (std::size_t k = 0; k + 1 < points.size(); ++k) {
    out.planned.push_back({points[k], judge(desired[k], 1)});
    out.planned_stabilised.push_back({points[k], judge(desired[k], kStabilisation)});
  }
  out.chosen = {points.back(), judge(desired.back(), options.stabilisation_minutes)};
  out.chosen_unstabilised = {points.back(), judge(desired.back(), 1)};
  for (const double utilisation : kUtilisations) {
    std::vector<double> orders;
    for (const double load : loads)
      orders.push_back(std::max(std::ceil(load / (out.capacity * utilisation)), 1.));
    out.reactive.push_back({utilisation, judge(orders, 1)});
    out.reactive_stabilised.push_back({utilisation, judge(orders, kStabilisation)});
  }
  return out;
}

}  // namespace liminal::scaling
