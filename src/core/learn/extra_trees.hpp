#pragma once

#include <cstdint>
#include <span>

#include "core/learn/fit.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// Nodes of one extra-tree at most; where more would be grown its leaves keep more rows.
inline constexpr std::uint32_t kForestNodesMax = 1U << 14;

/// Grows extra-trees on all rows: each node looks at some columns at random, draws one threshold in
/// each between its lowest and highest value there, and takes the one that reduces the squared
/// error most (for labels 0 and 1 that is Gini impurity). A leaf holds the weighted mean label; the
/// forest's answer is the mean of its trees.
///
/// Columns must be finite (`Encoding::filled`). Depth at most 64. Fewer trees when stopped, none at
/// the worst. The model's inputs are left empty. Deterministic for a seed, also when stopped.
/// Cost: about 4 ns a row, column looked at and level. Memory: the matrix once more.
///
/// Source: Geurts, Ernst, Wehenkel 2006, without bootstrap.
[[nodiscard]] models::Trees grow_extra_trees(const Matrix& x,
                                             std::span<const float> labels,
                                             std::span<const float> weights,
                                             const ForestRecipe& recipe,
                                             std::uint64_t seed,
                                             const Stop& stop);

}  // namespace liminal::learn
