#include "core/learn/quantile_leaves.hpp"

#include <algorithm>
#include <numeric>

#include "core/base/check.hpp"
#include "core/learn/fit.hpp"

namespace liminal::learn {
namespace {

std::vector<std::uint32_t> order_of(std::span<const float> values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  return order;
}

}  // namespace

double weighted_quantile(std::span<const float> values,
                         std::span<const float> weights,
                         double level) {
  LIMINAL_CHECK(!values.empty() && (weights.empty() || weights.size() == values.size()));
  const auto order = order_of(values);
  const auto weight = [&](std::uint32_t i) {
    return weights.empty() ? 1. : static_cast<double>(weights[i]);
  };
  double all = 0, below = 0;
  for (const std::uint32_t i : order) all += weight(i);
  const double wanted = level * all, slack = 1e-9 * all;
  for (std::size_t k = 0; k + 1 < order.size(); ++k) {
    below += weight(order[k]);
    const auto here = static_cast<double>(values[order[k]]);
    if (below > wanted + slack) return here;
    if (below > wanted - slack) return .5 * (here + static_cast<double>(values[order[k + 1]]));
  }
  return static_cast<double>(values[order.back()]);
}

std::vector<float> places_of(std::span<const float> values) {
  const auto order = order_of(values);
  std::vector<float> places(values.size());
  const auto count = static_cast<double>(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const auto place = static_cast<float>(.5 * static_cast<double>(begin + end) / count);
    for (std::size_t k = begin; k < end; ++k) places[order[k]] = place;
  }
  return places;
}

void settle_leaves(models::Trees& trees,
                   const Matrix& rows,
                   std::span<const float> labels,
                   std::span<const float> weights,
                   double level) {
  LIMINAL_CHECK(labels.size() == rows.rows);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> places(rows.rows);
  std::vector<float> values, shares;
  for (models::Tree& tree : trees.trees) {
    for (std::uint32_t i = 0; i < rows.rows; ++i) places[i] = {leaf_of(tree, rows.row(i)), i};
    std::sort(places.begin(), places.end());
    for (std::size_t begin = 0, end = 0; begin < places.size(); begin = end) {
      values.clear();
      shares.clear();
      for (; end < places.size() && places[end].first == places[begin].first; ++end) {
        values.push_back(labels[places[end].second]);
        if (!weights.empty()) shares.push_back(weights[places[end].second]);
      }
      tree.nodes[places[begin].first].value =
          static_cast<float>(weighted_quantile(values, shares, level));
    }
  }
}

}  // namespace liminal::learn
