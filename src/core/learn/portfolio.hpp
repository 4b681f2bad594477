#pragma once

#include <vector>

#include "core/base/random.hpp"
#include "core/learn/recipe.hpp"

namespace liminal::learn {

/// The recipes that a search tries first: of 48, the nine that together leave the least regret on
/// ten tables, the one that helps most first. For the pinball loss they differ in bluntness too.
[[nodiscard]] std::vector<BoosterRecipe> portfolio(const Loss& loss);

/// A direction in the space of a recipe's seven parameters, of length 1.
struct Direction {
  static constexpr std::size_t kParameters = 7;
  double part[kParameters]{};

  [[nodiscard]] static Direction drawn(Random& random);
  [[nodiscard]] Direction reversed() const;
};

/// A recipe moved by `step` along a direction: eta, least weight and penalty by factors, ratios and
/// size by differences, each kept within its bounds.
[[nodiscard]] BoosterRecipe moved(const BoosterRecipe& recipe,
                                  const Direction& direction,
                                  double step);

}  // namespace liminal::learn
