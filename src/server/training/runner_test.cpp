#include "server/training/runner.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/models/evaluator.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {
namespace {

learn::Table made_up(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  learn::Table table;
  table.features = {{"a", "", {}}, {"b", "", {}}, {"kind", "", {"x", "y", "z"}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal(), b = random.normal();
    const auto kind = static_cast<float>(random.below(3));
    for (const float v : {static_cast<float>(a), static_cast<float>(b), kind})
      table.values.push_back(v);
    const double margin = 2 * a * b + (kind == 1 ? 1 : 0);
    table.labels.push_back(random.chance(1 / (1 + std::exp(-margin))) ? 1.F : 0.F);
  }
  return table;
}

learn::Search search_of(std::uint32_t fits, double budget_s = 0) {
  learn::SearchOptions options;
  options.fits_max = fits;
  options.budget_s = budget_s;
  return {made_up(1, 800), learn::Loss{}, options};
}

TEST(Runner, FindsTheSameWithOneThreadAndTwo) {
  Runner one(search_of(24), fitters_here(), {.workers = 1});
  Runner two(search_of(24), fitters_here(), {.workers = 2});
  const auto a = one.outcome(), b = two.outcome();
  ASSERT_TRUE(a && b);
  EXPECT_GT(a->best.figures.roc_auc, .74);
  EXPECT_EQ(a->best.predictor, b->best.predictor);
  EXPECT_TRUE(one.done());
  EXPECT_EQ(two.progress(), 1);
  EXPECT_FALSE(two.leaderboard().empty());
}

TEST(Runner, MakesAModelThatCanBeAsked) {
  Runner runner(search_of(16), fitters_here(), {});
  const auto outcome = runner.outcome();
  ASSERT_TRUE(outcome && outcome->champion);
  RunFacts facts;
  facts.name = "test";
  facts.target = "y";
  facts.negative = "no";
  facts.positive = "yes";
  for (const learn::Trained* trained : {&outcome->best, &*outcome->champion}) {
    const models::Model model = model_of(runner.material().table, *outcome, *trained, facts);
    EXPECT_EQ(levels_of(model.metadata, "kind"), (std::vector<std::string>{"x", "y", "z"}));
    EXPECT_TRUE(levels_of(model.metadata, "a").empty());
    const auto evaluator = models::Evaluator::create(model);
    ASSERT_TRUE(evaluator) << evaluator.error()[0].key << ' ' << evaluator.error()[0].text;
    const std::vector<float> high{2, 2, 1}, low{2, -2, 0};
    EXPECT_GT(evaluator->predict(high).score, .8);
    EXPECT_LT(evaluator->predict(low).score, .2);
  }
}

TEST(Runner, EndsAtOnceWhenCancelled) {
  Runner runner(search_of(0, 3600), fitters_here(), {});
  EXPECT_FALSE(runner.wait_for(std::chrono::milliseconds(1)));
  runner.cancel();
  EXPECT_TRUE(runner.wait_for(std::chrono::seconds(60)));
  EXPECT_TRUE(runner.done());
}

TEST(Runner, CanGoAwayWhileItRuns) {
  for (int i = 0; i < 5; ++i) Runner runner(search_of(0, 3600), fitters_here(), {});
}

TEST(Runner, KeepsToItsTime) {
  Runner runner(search_of(0, 1.5), fitters_here(), {});
  ASSERT_TRUE(runner.outcome());
  // Fits under way end within a round; a busy machine may be late.
  EXPECT_LT(runner.elapsed_s(), 15);
}

}  // namespace
}  // namespace liminal::training
