#pragma once

#include <optional>

#include "core/learn/ledger.hpp"

namespace liminal::learn {

/// What to try when no boosted candidate may be asked for every message: the one that comes
/// nearest, in fewer and larger steps, and in smaller trees where steps would become too large.
class Cheaper {
 public:
  /// None when one is cheap enough, none was tried on all splits that count, or it was asked twice:
  /// what it takes is an estimate, from the fits before.
  [[nodiscard]] std::optional<BoosterRecipe> next(const Ledger& ledger);

 private:
  int tries_ = 0;
};

}  // namespace liminal::learn
