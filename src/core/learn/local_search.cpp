#include "core/learn/local_search.hpp"

#include "core/base/math.hpp"

namespace liminal::learn {

std::vector<std::size_t> LocalSearch::pair(Ledger& ledger) {
  const Direction direction = Direction::drawn(ledger.random);
  const double step = step_ * sqrt(static_cast<double>(Direction::kParameters)) / 1.5;
  const auto recipe = std::get<BoosterRecipe>(ledger.candidates[best_].recipe);
  return {ledger.add(moved(recipe, direction, step)),
          ledger.add(moved(recipe, direction.reversed(), step))};
}

void LocalSearch::judge(const Ledger& ledger, const std::vector<std::size_t>& tried) {
  constexpr double kGainMin = 1e-6;
  // An error is in the unit of the labels, whatever that is.
  const double unit = ledger.material->unit.scale;
  bool better = false;
  for (const std::size_t one : tried) {
    if (ledger.candidates[one].score() > ledger.candidates[best_].score() + kGainMin * unit) {
      best_ = one;
      better = true;
    }
  }
  if (better) {
    failures_ = 0;
  } else if (++failures_ >= 3) {
    step_ *= .7;
    failures_ = 0;
  }
}

}  // namespace liminal::learn
