#pragma once

#include <cstdint>
#include <vector>

#include "core/learn/ledger.hpp"
#include "core/learn/portfolio.hpp"

namespace liminal::learn {

/// Walks from the best recipe: a pair of recipes in opposite directions, whichever is better
/// becomes the next place; three pairs without one make the steps smaller.
class LocalSearch {
 public:
  /// The two recipes to try next, as candidates of the ledger.
  [[nodiscard]] std::vector<std::size_t> pair(Ledger& ledger);
  /// Tells which of the pair were tried on all splits that decide.
  void judge(const Ledger& ledger, const std::vector<std::size_t>& tried);

  void begin(std::size_t best) { best_ = best; }
  [[nodiscard]] std::size_t best() const { return best_; }
  [[nodiscard]] bool exhausted() const { return step_ < kStepMin; }

 private:
  static constexpr double kStepMin = .02;
  std::size_t best_ = 0;
  double step_ = .25;
  std::uint32_t failures_ = 0;
};

}  // namespace liminal::learn
