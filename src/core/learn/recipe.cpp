#include "core/learn/recipe.hpp"

#include "core/learn/words.hpp"

namespace liminal::learn {
namespace {

std::string words_of(const BoosterRecipe& recipe) {
  std::string text = recipe.parallel > 1
                         ? "boosted groups of " + std::to_string(recipe.parallel) + " trees, "
                         : std::string("boosted trees, ");
  text += recipe.leaves > 0 ? std::to_string(recipe.leaves) + " leaves"
                            : "depth " + std::to_string(recipe.depth);
  return text + ", eta " + in_words(recipe.eta, 3);
}

std::string words_of(const ForestRecipe& recipe) {
  std::string text = "extra-trees, " + std::to_string(recipe.trees) + " trees, leaves of ";
  text += std::to_string(recipe.leaf_rows) + " rows or more, ";
  return text + (recipe.columns_ratio > 0
                     ? in_words(100 * recipe.columns_ratio, 0) + " % of the columns"
                     : std::string("root of the columns"));
}

std::string words_of(const LinearRecipe& recipe) {
  return "linear, penalty " + in_words(recipe.l2, 1);
}

}  // namespace

std::string in_words(const Recipe& recipe) {
  return std::visit([](const auto& kind) { return words_of(kind); }, recipe);
}

}  // namespace liminal::learn
