#include "core/learn/cheaper.hpp"

#include <gtest/gtest.h>

namespace liminal::learn {
namespace {

/// A ledger of one held-out part and 5 µs a row.
Ledger ledger() {
  Ledger ledger;
  ledger.rungs = true;
  ledger.splits.resize(1);
  return ledger;
}

/// `trees` of one level, which are walked in 1.3 ns each.
void tried(Ledger& ledger, const BoosterRecipe& recipe, std::size_t trees, double score) {
  models::Trees model;
  models::Tree stump;
  stump.nodes.resize(3);
  stump.nodes[0] = {0, 0, 1, 2, true, 10};
  stump.nodes[1].cover = stump.nodes[2].cover = 5;
  model.trees.assign(trees, stump);
  Attempt attempt;
  attempt.fit.model = std::move(model);
  attempt.score = score;
  ledger.candidates[ledger.add(recipe)].attempts[0] = std::move(attempt);
}

TEST(Cheaper, IsNothingWhereSomethingIsCheapEnough) {
  Ledger some = ledger();
  EXPECT_FALSE(Cheaper().next(some)) << "nothing was tried";
  tried(some, {}, 20'000, .9);
  EXPECT_TRUE(Cheaper().next(some));
  tried(some, {}, 100, .8);
  EXPECT_FALSE(Cheaper().next(some));
}

TEST(Cheaper, TakesLargerStepsFromWhatComesNearest) {
  Ledger some = ledger();
  tried(some, {.eta = .02, .depth = 9}, 40'000, .9);
  tried(some, {.eta = .05, .depth = 8}, 8'000, .8);  // 10.4 µs: 2.08 × the budget
  const auto recipe = Cheaper().next(some);
  ASSERT_TRUE(recipe);
  EXPECT_NEAR(recipe->eta, .05 * 2.08 * 1.1 * 1.3, .001);
  EXPECT_EQ(recipe->depth, 8U);
}

TEST(Cheaper, MakesTreesSmallerWhereStepsWouldBecomeTooLarge) {
  Ledger some = ledger();
  tried(some, {.eta = .15, .leaves = 30}, 16'000, .9);
  auto recipe = Cheaper().next(some);
  ASSERT_TRUE(recipe);
  EXPECT_EQ(recipe->eta, .3);
  EXPECT_EQ(recipe->leaves, 10U);

  some = ledger();
  tried(some, {.eta = .1, .depth = 14, .parallel = 4}, 16'000, .9);
  recipe = Cheaper().next(some);
  ASSERT_TRUE(recipe);
  EXPECT_EQ(recipe->parallel, 1U) << "a quarter of the trees";
  EXPECT_NEAR(recipe->eta, .1 * 4.16 * 1.1 * 1.3 / 4, .001);
  EXPECT_EQ(recipe->depth, 14U);
}

TEST(Cheaper, IsTriedTwice) {
  Ledger some = ledger();
  tried(some, {}, 20'000, .9);
  Cheaper search;
  EXPECT_TRUE(search.next(some));
  EXPECT_TRUE(search.next(some));
  EXPECT_FALSE(search.next(some));
}

TEST(Cheaper, IsNothingWhereNothingMayBeAsked) {
  Ledger some = ledger();
  some.options.champion = {0, 0};
  tried(some, {}, 100, .9);
  EXPECT_FALSE(Cheaper().next(some));
}

}  // namespace
}  // namespace liminal::learn
