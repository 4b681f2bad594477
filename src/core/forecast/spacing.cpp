#include "core/forecast/spacing.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"

namespace liminal::forecast {

double usual_step(std::span<const double> times) {
  LIMINAL_CHECK(times.size() > 1);
  std::vector<double> distances;
  distances.reserve(times.size() - 1);
  for (std::size_t i = 1; i < times.size(); ++i) distances.push_back(times[i] - times[i - 1]);
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return *middle;
}

Result<std::vector<double>> space_evenly(std::span<const double> times,
                                         std::span<const double> values,
                                         double step,
                                         std::size_t points_max) {
  LIMINAL_CHECK(times.size() == values.size() && step > 0);
  std::vector<double> spaced;
  spaced.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double steps = i == 0 ? 1 : std::max(1., std::round((times[i] - times[i - 1]) / step));
    if (steps + static_cast<double>(spaced.size()) > static_cast<double>(points_max))
      return failure(ErrorCode::kTooLarge, i);
    spaced.resize(spaced.size() + static_cast<std::size_t>(steps) - 1, NAN);
    spaced.push_back(values[i]);
  }
  return spaced;
}

Result<std::vector<double>> place_on_grid(std::span<const double> times,
                                          std::span<const double> values,
                                          double step,
                                          std::size_t points_max) {
  LIMINAL_CHECK(times.size() == values.size() && step > 0);
  std::vector<double> placed;
  std::size_t known = 0;  // of the last step
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double at = std::round((times[i] - times.front()) / step);
    if (!(at < static_cast<double>(points_max))) return failure(ErrorCode::kTooLarge, i);
    if (const auto size = static_cast<std::size_t>(at) + 1; size > placed.size()) {
      placed.resize(size, NAN);
      known = 0;
    }
    if (std::isnan(values[i])) continue;
    double& mean = placed.back();
    mean = known++ == 0 ? values[i] : mean + (values[i] - mean) / static_cast<double>(known);
  }
  return placed;
}

}  // namespace liminal::forecast
