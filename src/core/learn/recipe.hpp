#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/base/problem.hpp"

namespace liminal::learn {

/// How boosted trees are grown. Bounds: eta .001–1, depth 1–16, leaves 2–4,096, ratios in (0, 1],
/// weights and penalties 0–1,000, bluntness .01–1,000.
struct BoosterRecipe {
  double eta = .3;
  std::uint32_t depth = 6;     ///< not used when `leaves` is set
  std::uint32_t leaves = 0;    ///< above 0: the leaf that gains most is split next, up to so many
  double child_weight = 1;     ///< least sum of second derivatives in a leaf
  double rows_ratio = 1;       ///< of the rows, drawn for each tree
  double columns_ratio = 1;    ///< drawn for each tree, or for each node when trees are `parallel`
  double l2 = 1, l1 = 0;       ///< penalties on leaves
  double gain_min = 0;         ///< a split must gain as much
  std::uint32_t parallel = 1;  ///< trees grown at once in each round
  /// For the pinball loss: residuals smaller than so many times the middle one count as squares.
  /// Large: all do, which at the level .5 is squared error, if ended and judged by the absolute.
  double blunt = .3;
  friend bool operator==(const BoosterRecipe&, const BoosterRecipe&) = default;
};

/// Extremely randomised trees.
///
/// Source: Geurts, Ernst, Wehenkel 2006.
struct ForestRecipe {
  std::uint32_t trees = 120;
  std::uint32_t leaf_rows = 1;  ///< least rows of a leaf
  double columns_ratio = 0;     ///< of the columns looked at in a node; 0: their square root
  friend bool operator==(const ForestRecipe&, const ForestRecipe&) = default;
};

/// Linear or logistic regression; the penalty is l2/2·|w|², the loss a sum over the rows.
struct LinearRecipe {
  double l2 = 1;
  friend bool operator==(const LinearRecipe&, const LinearRecipe&) = default;
};

using Recipe = std::variant<BoosterRecipe, ForestRecipe, LinearRecipe>;

/// What lies beyond a recipe's bounds: those above, trees 1–10,000, rows of a leaf 1–10⁶, ratios of
/// columns 0–1, the linear penalty 0–10⁹.
[[nodiscard]] Problems validate(const Recipe& recipe);

/// A recipe in few words, for a leaderboard: "boosted trees, depth 4, eta 0.05".
[[nodiscard]] std::string in_words(const Recipe& recipe);

/// What is minimised: log loss of two classes, squared error, or the pinball loss of a quantile.
struct Loss {
  enum class Kind : std::uint8_t { kLogistic, kSquared, kPinball };
  Kind kind = Kind::kLogistic;
  double level = .5;  ///< of the pinball loss

  [[nodiscard]] bool classes() const { return kind == Kind::kLogistic; }
  /// What is foretold lies to one side of the middle: no interval around it means anything.
  [[nodiscard]] bool lopsided() const { return kind == Kind::kPinball && level != .5; }
};

}  // namespace liminal::learn
