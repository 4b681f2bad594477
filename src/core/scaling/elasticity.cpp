#include "core/scaling/elasticity.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::scaling {

std::vector<double> supply(std::span<const double> desired,
                           std::uint32_t stabilisation,
                           std::uint32_t delay) {
  const std::size_t n = desired.size();
  std::vector<double> ordered(n), ready(n);
  const auto back = [](std::size_t t, std::uint32_t by) {
    return t - std::min<std::size_t>(t, by);
  };
  for (std::size_t t = 0; t < n; ++t) {
    ordered[t] = desired[t];
    for (std::size_t u = back(t + 1, stabilisation); u < t; ++u)
      ordered[t] = std::max(ordered[t], desired[u]);
  }
  for (std::size_t t = 0; t < n; ++t) {
    ready[t] = ordered[back(t, 1)];
    for (std::size_t u = back(t, delay); u < t; ++u) ready[t] = std::min(ready[t], ordered[u]);
  }
  return ready;
}

Elasticity elasticity(std::span<const double> needed, std::span<const double> ready) {
  LIMINAL_CHECK(needed.size() == ready.size());
  Elasticity out;
  if (needed.empty()) return out;
  for (std::size_t t = 0; t < needed.size(); ++t) {
    const double missing = needed[t] - ready[t];
    (missing > 0 ? out.under_share_ratio : out.over_share_ratio) += std::abs(missing) / needed[t];
    out.under_time_ratio += missing > 0 ? 1 : 0;
    out.over_time_ratio += missing < 0 ? 1 : 0;
    out.instance_minutes += ready[t];
    if (t > 0) out.moves_per_day += std::abs(ready[t] - ready[t - 1]);
  }
  const auto minutes = static_cast<double>(needed.size());
  for (double* const mean :
       {&out.under_share_ratio, &out.over_share_ratio, &out.under_time_ratio, &out.over_time_ratio})
    *mean /= minutes;
  out.moves_per_day *= 1440 / minutes;
  out.mean_instances = out.instance_minutes / minutes;
  return out;
}

double under_share_at(const Curve& curve, double mean_instances) {
  constexpr double kFloor = 1e-8;  // so that a share of zero has a logarithm
  const Elasticity* below = nullptr;
  const Elasticity* above = nullptr;
  for (const Elasticity& point : curve) {
    if (point.mean_instances <= mean_instances) {
      if (below == nullptr || point.mean_instances > below->mean_instances) below = &point;
    } else if (above == nullptr || point.mean_instances < above->mean_instances) {
      above = &point;
    }
  }
  if (below == nullptr && above == nullptr) return 0;
  if (below == nullptr || above == nullptr)
    return (below != nullptr ? below : above)->under_share_ratio;
  const double part =
      (mean_instances - below->mean_instances) / (above->mean_instances - below->mean_instances);
  return exp((1 - part) * log(below->under_share_ratio + kFloor) +
             part * log(above->under_share_ratio + kFloor));
}

}  // namespace liminal::scaling
