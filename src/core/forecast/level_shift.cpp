#include "core/forecast/level_shift.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace liminal::forecast {
namespace {

constexpr double kDeviations = 5;
constexpr double kStepMin = .2;
constexpr double kSideShare = .9;
constexpr std::size_t kDaysMax = 4;
constexpr double kMedianToDeviation = 1.4826;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double deviation(const std::vector<double>& values) {
  const double centre = median(values);
  std::vector<double> sizes;
  for (const double value : values) sizes.push_back(std::abs(value - centre));
  return kMedianToDeviation * median(std::move(sizes));
}

}  // namespace

std::optional<LevelShift> find_level_shift(std::span<const double> log,
                                           std::span<const double> observed,
                                           Seasons seasons) {
  const std::size_t n = log.size(), day = seasons.day;
  const std::size_t season = seasons.week > 0 ? seasons.week : day;
  // As much before the shift as may come after it, and a season to compare with.
  if (day == 0 || n < season + 2 * kDaysMax * day + day) return std::nullopt;
  std::vector<double> change(n);
  for (std::size_t t = season; t < n; ++t) change[t] = log[t] - log[t - season];
  const auto part = [&](std::size_t from, std::size_t to) {
    std::vector<double> values;
    for (std::size_t t = from; t < to; ++t) {
      if (observed[t] > 0 && observed[t - season] > 0) values.push_back(change[t]);
    }
    return values;
  };
  const std::vector<double> steady = part(season, n - kDaysMax * day);
  if (steady.size() < 2 * day) return std::nullopt;
  const double spread = deviation(steady), centre = median(steady);

  // The place that parts low from high best: the largest |sum of (change − half the step)|.
  std::size_t best = 0;
  double best_contrast = 0, best_step = 0;
  for (std::size_t at = n - std::min(kDaysMax * day, season); at + day <= n; ++at) {
    const std::vector<double> after = part(at, n), before = part(at - day, at);
    if (after.size() < day / 2 || before.size() < day / 2) continue;
    const double step = median(after) - centre;
    double contrast = 0;
    for (const double value : after)
      contrast += std::min(std::abs(step), (value - centre) * (step < 0 ? -1 : 1));
    for (const double value : before)
      contrast -= std::max(0., (value - centre) * (step < 0 ? -1 : 1));
    if (contrast <= best_contrast) continue;
    best_contrast = contrast;
    best_step = step;
    best = at;
  }
  if (best == 0 || std::abs(best_step) < std::max(kStepMin, kDeviations * spread))
    return std::nullopt;
  const std::vector<double> after = part(best, n), before = part(best - day, best);
  if (std::abs(median(before) - centre) > .25 * std::abs(best_step)) return std::nullopt;
  const auto beyond = std::count_if(
      after.begin(), after.end(), [&](double value) { return (value - centre) / best_step > .5; });
  if (static_cast<double>(beyond) < kSideShare * static_cast<double>(after.size()))
    return std::nullopt;
  return LevelShift{best, best_step};
}

}  // namespace liminal::forecast
