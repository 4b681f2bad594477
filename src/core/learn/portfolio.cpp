#include "core/learn/portfolio.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/math.hpp"

namespace liminal::learn {
namespace {

constexpr std::array<BoosterRecipe, 9> kPortfolio{{
    {.05, 4, 0, 1, .8, .8, 1, 0, 0, 1},
    {.04, 0, 18, .79, .61, .47, .11, 0, .54, 1},
    {.1, 14, 0, .01, .6, .6, .05, 0, 0, 4},
    {.05, 12, 0, .01, .8, .6, .3, 0, 0, 1},
    {.083, 11, 0, .017, .92, .96, 24, 0, .03, 1},
    {.019, 10, 0, .81, .75, .91, .15, 0, .08, 1},
    {.1, 3, 0, 1, .8, .8, 1, 0, 0, 1},
    {.03, 5, 0, .1, .6, .4, .1, 0, 0, 1},
    {.015, 8, 0, .02, .63, .92, .6, 0, 0, 1},
}};

/// How blunt each is at the level .5: what suits best differs from column to column, and different
/// ones blend best.
constexpr std::array<double, kPortfolio.size()> kBlunt{1, .3, 1, 1, 3, .3, 1, .1, 1};

enum Parameter { kEta, kChildWeight, kL2, kRows, kColumns, kSize, kL1 };

double scaled(double value, double by, double low, double high) {
  return std::clamp(std::max(value, 1e-3) * exp(by), low, high);
}

}  // namespace

std::vector<BoosterRecipe> portfolio(const Loss& loss) {
  std::vector<BoosterRecipe> recipes(kPortfolio.begin(), kPortfolio.end());
  if (loss.kind != Loss::Kind::kPinball || loss.lopsided()) return recipes;
  for (std::size_t i = 0; i < recipes.size(); ++i) recipes[i].blunt = kBlunt[i];
  return recipes;
}

Direction Direction::drawn(Random& random) {
  Direction direction;
  double squares = 0;
  for (double& part : direction.part) {
    part = random.normal();
    squares += part * part;
  }
  for (double& part : direction.part) part /= sqrt(squares);
  return direction;
}

Direction Direction::reversed() const {
  Direction other;
  for (std::size_t i = 0; i < kParameters; ++i) other.part[i] = -part[i];
  return other;
}

BoosterRecipe moved(const BoosterRecipe& recipe, const Direction& direction, double step) {
  const auto by = [&](Parameter parameter) { return step * direction.part[parameter]; };
  BoosterRecipe next = recipe;
  next.eta = scaled(recipe.eta, 2 * by(kEta), .01, .4);
  next.child_weight = scaled(recipe.child_weight, 4 * by(kChildWeight), .002, 200);
  next.l2 = scaled(recipe.l2, 4 * by(kL2), .002, 200);
  next.rows_ratio = std::clamp(recipe.rows_ratio + .6 * by(kRows), .4, 1.);
  next.columns_ratio = std::clamp(recipe.columns_ratio + .6 * by(kColumns), .2, 1.);
  if (recipe.leaves > 0) {
    const double leaves = static_cast<double>(recipe.leaves) * exp(3 * by(kSize));
    next.leaves = static_cast<std::uint32_t>(std::clamp(leaves, 3., 1024.) + .5);
  } else {
    const double depth = static_cast<double>(recipe.depth) + 6 * by(kSize);
    next.depth = static_cast<std::uint32_t>(std::clamp(depth, 2., 14.) + .5);
  }
  // A penalty of the first kind is only tried where a direction points that way clearly.
  next.l1 =
      recipe.l1 > 0 || direction.part[kL1] > .3 ? scaled(recipe.l1, 4 * by(kL1), .001, 20) : 0;
  return next;
}

}  // namespace liminal::learn
