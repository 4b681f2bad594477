#include "core/stats/median.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace liminal::stats {

double median(std::vector<double> values) {
  LIMINAL_DCHECK(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return .5 * (*std::max_element(values.begin(), middle) + *middle);
}

}  // namespace liminal::stats
