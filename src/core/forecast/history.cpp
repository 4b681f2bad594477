#include "core/forecast/history.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::forecast {

Scaling Scaling::of(std::span<const double> values) {
  double largest = 0, low = INFINITY, high = -INFINITY, positive_min = INFINITY;
  for (const double x : values) {
    if (std::isnan(x)) continue;
    largest = std::max(largest, std::abs(x));
    low = std::min(low, x);
    high = std::max(high, x);
    if (x > 0) positive_min = std::min(positive_min, x);
  }
  if (!(largest > 0)) return {};
  double sum = 0;
  std::size_t count = 0;
  for (const double x : values) {
    if (std::isnan(x)) continue;
    sum += std::abs(x) / largest;  // in parts of the largest: 1e308 has no sum
    ++count;
  }
  Scaling scaling;
  scaling.scale = std::max(sum / static_cast<double>(count) * largest, 1e-300);
  scaling.non_negative = low >= 0;
  if (low < 0) {
    // ln(x − low + range): the highest value is twice the lowest, where the logarithm hardly bends.
    scaling.offset = high / scaling.scale - 2 * (low / scaling.scale);
    scaling.floor = .05 * std::max(1e-9, (high / scaling.scale - low / scaling.scale));
  } else if (low == 0) {
    scaling.offset = .01;
    scaling.floor = .01;
  } else {
    scaling.floor = std::max(1e-12, .1 * (positive_min / scaling.scale));
  }
  return scaling;
}

double Scaling::to_log(double level) const { return liminal::log(std::max(level + offset, floor)); }

double Scaling::from_log(double z) const { return liminal::exp(std::min(z, 700.)) - offset; }

void fill_gaps(std::span<double> values, Seasons seasons) {
  const std::size_t n = values.size();
  const auto is_value = [](double x) { return !std::isnan(x); };
  const auto begin = std::find_if(values.begin(), values.end(), is_value);
  LIMINAL_CHECK(begin != values.end());
  std::fill(values.begin(), begin, *begin);
  for (std::size_t left = 0; left < n;) {  // a value stands at `left`
    std::size_t right = left + 1;
    while (right < n && std::isnan(values[right])) ++right;
    const std::size_t gap = right - left - 1;
    // What was one season before, when all of it and what stands beside it is there.
    std::size_t season = 0;
    for (const std::size_t candidate : {seasons.week, seasons.day}) {
      if (season == 0 && candidate > gap && left >= candidate) season = candidate;
    }
    const auto base = [&](std::size_t i) { return season == 0 ? 0 : values[i - season]; };
    const double from = values[left] - (gap == 0 ? 0 : base(left));
    const double to = right < n && gap > 0 ? values[right] - base(right) : from;
    for (std::size_t i = left + 1; i < right; ++i) {
      const double along = static_cast<double>(i - left) / static_cast<double>(right - left);
      values[i] = base(i) + from + (to - from) * along;
    }
    left = right;
  }
}

History prepare(std::span<const double> values,
                std::uint64_t first,
                Seasons seasons,
                const Scaling& scaling) {
  History history;
  history.first = first;
  history.scaling = scaling;
  history.level.reserve(values.size());
  history.observed.reserve(values.size());
  for (const double x : values) {
    history.level.push_back(x / scaling.scale);
    history.observed.push_back(std::isnan(x) ? 0 : 1);
  }
  fill_gaps(history.level, seasons);
  if (scaling.non_negative) {
    for (double& level : history.level) level = std::max(level, 0.);
  }
  history.log.reserve(values.size());
  for (const double level : history.level) history.log.push_back(scaling.to_log(level));
  return history;
}

}  // namespace liminal::forecast
