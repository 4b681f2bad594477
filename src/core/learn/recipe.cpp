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

class Bounds {
 public:
  void within(double value, double low, double high, const char* key) {
    if (value >= low && value <= high) return;
    problems_.push_back({key, "must lie within " + in_words(low, 3) + " and " + in_words(high, 0)});
  }
  Problems found() && { return std::move(problems_); }

 private:
  Problems problems_;
};

Problems problems_of(const BoosterRecipe& recipe) {
  constexpr double kRatioMin = 1e-6;  // above 0
  Bounds bounds;
  bounds.within(recipe.eta, .001, 1, "eta");
  if (recipe.leaves == 0) bounds.within(recipe.depth, 1, 16, "depth");
  if (recipe.leaves > 0) bounds.within(recipe.leaves, 2, 4096, "leaves");
  bounds.within(recipe.rows_ratio, kRatioMin, 1, "rows_ratio");
  bounds.within(recipe.columns_ratio, kRatioMin, 1, "columns_ratio");
  bounds.within(recipe.child_weight, 0, 1000, "child_weight");
  bounds.within(recipe.l2, 0, 1000, "l2");
  bounds.within(recipe.l1, 0, 1000, "l1");
  bounds.within(recipe.gain_min, 0, 1000, "gain_min");
  bounds.within(recipe.parallel, 1, 1000, "parallel");
  bounds.within(recipe.blunt, .01, 1000, "blunt");
  return std::move(bounds).found();
}

Problems problems_of(const ForestRecipe& recipe) {
  Bounds bounds;
  bounds.within(recipe.trees, 1, 10'000, "trees");
  bounds.within(recipe.leaf_rows, 1, 1e6, "leaf_rows");
  bounds.within(recipe.columns_ratio, 0, 1, "columns_ratio");
  return std::move(bounds).found();
}

Problems problems_of(const LinearRecipe& recipe) {
  Bounds bounds;
  bounds.within(recipe.l2, 0, 1e9, "l2");
  return std::move(bounds).found();
}

}  // namespace

Problems validate(const Recipe& recipe) {
  return std::visit([](const auto& kind) { return problems_of(kind); }, recipe);
}

std::string in_words(const Recipe& recipe) {
  return std::visit([](const auto& kind) { return words_of(kind); }, recipe);
}

}  // namespace liminal::learn
