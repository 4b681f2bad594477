#pragma once

#include <optional>

#include "core/learn/ledger.hpp"

namespace liminal::learn {

inline constexpr int kCheaperTriesMax = 2;

/// What to try when no boosted candidate may be asked for every message: the one that comes
/// nearest, in fewer and larger steps, and in smaller trees where steps would become too large.
/// None when one is cheap enough, or none was tried on all splits that count. What it takes is an
/// estimate, from the fits before: worth trying `kCheaperTriesMax` times.
[[nodiscard]] std::optional<BoosterRecipe> cheaper(const Ledger& ledger);

}  // namespace liminal::learn
