#pragma once

#include "core/models/model.hpp"

namespace liminal::learn {

/// What a model costs where it is asked for every message.
struct Cost {
  double us_row = 0;  ///< estimated, of one row by `models::Evaluator`
  double memory_bytes = 0;

  [[nodiscard]] bool within(const Cost& budget) const {
    return us_row <= budget.us_row && memory_bytes <= budget.memory_bytes;
  }
  friend Cost operator+(const Cost& a, const Cost& b) {
    return {a.us_row + b.us_row, a.memory_bytes + b.memory_bytes};
  }
  friend Cost operator*(double factor, const Cost& cost) {
    return {factor * cost.us_row, factor * cost.memory_bytes};
  }
};

/// 1.3 ns a level of a tree, as `models::Forest` walks them: eight trees at once to the deepest,
/// where trees are deeper than 8 only until ordinary training rows (by the nodes' cover) have come
/// to leaves; 2 ns a column; 8 bytes a node. Of dense parts (weights, layers, centroids) .5 ns and
/// 4 bytes a number, and 4 ns a weight of a line with its column. An estimate to choose by: what a
/// promotion goes by is measured.
[[nodiscard]] Cost cost_of(const models::Trees& trees);
[[nodiscard]] Cost cost_of(const models::Linear& linear);
[[nodiscard]] Cost cost_of(const models::Mlp& network);
[[nodiscard]] Cost cost_of(const models::KMeans& clusters);
[[nodiscard]] Cost cost_of(const models::IsolationForest& forest);
[[nodiscard]] Cost cost_of(const models::Blend& blend);
[[nodiscard]] Cost cost_of(const models::Predictor& predictor);

}  // namespace liminal::learn
