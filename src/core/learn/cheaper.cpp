#include "core/learn/cheaper.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace liminal::learn {
namespace {

constexpr double kEtaMax = .3;  ///< larger steps lose more than smaller trees
/// Rounds shrink less than steps grow.
constexpr double kMargin = 1.3;
constexpr std::uint32_t kDepthMin = 3, kLeavesMin = 4;
constexpr int kTriesMax = 2;

std::uint32_t shrunk(std::uint32_t size, double by, std::uint32_t least) {
  return std::max(least, static_cast<std::uint32_t>(std::lround(size / by)));
}

/// A recipe whose fits cost about a share of 1/`excess`.
BoosterRecipe cut(BoosterRecipe recipe, double excess) {
  excess /= recipe.parallel;
  recipe.parallel = 1;
  const double eta = recipe.eta * std::max(excess, 1.);
  recipe.eta = std::max(recipe.eta, std::min(eta, kEtaMax));
  const double rest = eta / recipe.eta;
  if (rest <= 1) return recipe;
  if (recipe.leaves > 0)
    recipe.leaves = shrunk(recipe.leaves, rest, kLeavesMin);
  else
    recipe.depth = shrunk(recipe.depth, rest, kDepthMin);
  return recipe;
}

}  // namespace

std::optional<BoosterRecipe> Cheaper::next(const Ledger& ledger) {
  if (tries_ == kTriesMax) return std::nullopt;
  const Cost& budget = ledger.options.champion;
  const Candidate* nearest = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : ledger.candidates) {
    if (!candidate.boosted() || !candidate.whole()) continue;
    const Cost cost = candidate.refit_cost();
    if (cost.within(budget)) return std::nullopt;
    const double excess =
        std::max(cost.us_row / budget.us_row, cost.memory_bytes / budget.memory_bytes);
    if (!(excess < least)) continue;
    least = excess;
    nearest = &candidate;
  }
  if (nearest == nullptr) return std::nullopt;
  ++tries_;
  return cut(std::get<BoosterRecipe>(nearest->recipe), kMargin * least);
}

}  // namespace liminal::learn
