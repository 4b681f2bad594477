#include "core/learn/stretches.hpp"

#include <algorithm>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::learn {
namespace {

/// Where errors are AR(1) of .9, which is nineteen rows for one, stretches as long as that have a
/// tenth in common with the next.
constexpr std::size_t kRows = 45;

}  // namespace

Stretches::Stretches(std::span<const double> times_s, std::size_t rows_min) : of(times_s.size()) {
  LIMINAL_CHECK(rows_min > 0);
  const std::size_t rows = times_s.size();
  if (rows == 0) return;
  count = std::max(rows / kRows, std::min(kMin, rows / rows_min));
  count = std::clamp<std::size_t>(count, 1, kMax);
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return times_s[a] < times_s[b]; });
  for (std::size_t i = 0; i < rows; ++i) of[order[i]] = i * count / rows;
}

double Stretches::widening(std::span<const double> values) const {
  LIMINAL_CHECK(values.size() == of.size() && count >= 2);
  const double mean =
      std::accumulate(values.begin(), values.end(), 0.) / static_cast<double>(values.size());
  std::vector<double> sums(count);
  for (std::size_t row = 0; row < values.size(); ++row) sums[of[row]] += values[row] - mean;
  double squares = 0, neighbours = 0;
  for (std::size_t i = 0; i < count; ++i) {
    squares += sums[i] * sums[i];
    if (i > 0) neighbours += sums[i] * sums[i - 1];
  }
  const auto stretches = static_cast<double>(count);
  const double shared = squares > 0 ? neighbours / squares + 1 / stretches : 0;
  return sqrt(stretches / (stretches - 1) * (1 + 2 * std::max(0., shared)));
}

}  // namespace liminal::learn
