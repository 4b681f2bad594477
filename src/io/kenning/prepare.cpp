#include "io/kenning/prepare.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"

namespace liminal::kenning {
namespace {

/// A deviation below this share of the largest value is rounding.
constexpr double kConstant = 1e-6;

struct Scale {
  double mean = 0, deviation = 0;
  bool constant = true;
};

Scale scale_of(const Series& given, std::size_t column) {
  const std::size_t width = given.features.size();
  double sum = 0, present = 0, largest = 0;
  for (std::size_t row = 0; row < given.rows(); ++row) {
    const auto value = static_cast<double>(given.values[row * width + column]);
    if (!std::isfinite(value)) continue;
    sum += value;
    ++present;
    largest = std::max(largest, std::abs(value));
  }
  if (present == 0) return {};
  Scale scale;
  scale.mean = sum / present;
  double squares = 0;  // a missing value is the mean and adds nothing
  for (std::size_t row = 0; row < given.rows(); ++row) {
    const auto value = static_cast<double>(given.values[row * width + column]);
    if (std::isfinite(value)) squares += (value - scale.mean) * (value - scale.mean);
  }
  scale.deviation = std::sqrt(squares / static_cast<double>(given.rows()));
  scale.constant = !(scale.deviation > kConstant * largest) ||
                   !std::isnormal(static_cast<float>(scale.deviation));
  return scale;
}

}  // namespace

Prepared prepare(const Series& given) {
  const std::size_t width = given.features.size();
  LIMINAL_CHECK(given.values.size() == given.rows() * width);
  Prepared prepared;
  prepared.series.labels = given.labels;
  for (std::size_t column = 0; column < width; ++column) {
    const Scale scale = scale_of(given, column);
    if (scale.constant) {
      prepared.left_out.push_back(given.features[column]);
      continue;
    }
    prepared.series.features.push_back(given.features[column]);
    prepared.columns.push_back(static_cast<std::int64_t>(column));
    prepared.mean.push_back(static_cast<float>(scale.mean));
    prepared.deviation.push_back(static_cast<float>(scale.deviation));
  }
  prepared.series.values.reserve(given.rows() * prepared.columns.size());
  for (std::size_t row = 0; row < given.rows(); ++row) {
    for (std::size_t i = 0; i < prepared.columns.size(); ++i) {
      const float value = given.values[row * width + static_cast<std::size_t>(prepared.columns[i])];
      prepared.series.values.push_back(
          std::isfinite(value) ? (value - prepared.mean[i]) / prepared.deviation[i] : 0.F);
    }
  }
  return prepared;
}

}  // namespace liminal::kenning
