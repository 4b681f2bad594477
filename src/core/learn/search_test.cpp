#include "core/learn/search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "core/base/random.hpp"
#include "core/learn/extra_trees.hpp"
#include "core/learn/portfolio.hpp"
#include "core/models/evaluator.hpp"

namespace liminal::learn {
namespace {

bool never() { return false; }

/// Stands in for boosted trees where no library may be: a few extra-trees, their sum as the margin.
/// A recipe's depth decides how many, so that recipes differ.
class SmallBooster final : public Booster {
 public:
  Result<Fit> train(const Material& material,
                    const FitJob& job,
                    const BoosterRecipe& recipe,
                    const Stop& stop) override {
    ++fits;
    models::Trees trees = grow_extra_trees(material.matrix(material.encoding.filled, job.train),
                                           material.labels(job.train),
                                           material.weights(job.train),
                                           {std::min(recipe.depth, job.rounds_max) + 1, 5, .6},
                                           job.seed,
                                           stop);
    if (trees.trees.empty()) return failure(ErrorCode::kUnavailable);
    trees.inputs = material.encoding.filled;
    trees.mean = false;
    Fit fit;
    fit.rounds = fit.built = recipe.depth + 1;
    if (job.valid != Material::kNoRows) {
      const Matrix rows = material.matrix(material.encoding.filled, job.valid);
      for (std::size_t i = 0; i < rows.rows; ++i)
        fit.margins.push_back(static_cast<float>(tree_sum(trees, rows.row(i))));
    }
    fit.model = std::move(trees);
    return fit;
  }
  int fits = 0;
};

Table made_up(std::uint64_t seed, std::size_t rows, bool classes = true) {
  Random random(seed);
  Table table;
  table.features = {{"a", "", {}}, {"b", "", {}}, {"kind", "", {"x", "y", "z"}}, {"noise", "", {}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal(), b = random.normal();
    const auto kind = static_cast<float>(random.below(3));
    for (const float v :
         {static_cast<float>(a), static_cast<float>(b), kind, static_cast<float>(random.normal())})
      table.values.push_back(v);
    const double margin = 2 * a + b * b - 1 + (kind == 1 ? 1 : 0);
    table.labels.push_back(classes ? (random.chance(1 / (1 + std::exp(-margin))) ? 1.F : 0.F)
                                   : static_cast<float>(margin + .3 * random.normal()));
  }
  return table;
}

/// Runs a search with `workers` fits at a time, of which the one that began last ends first.
Result<Outcome> run(Search& search, std::size_t workers, double fit_s = .01) {
  SmallBooster booster;
  std::deque<FitJob> running;
  double elapsed = 0;
  while (!search.done()) {
    while (running.size() < workers) {
      const auto job = search.next(elapsed);
      if (!job) break;
      running.push_back(*job);
    }
    if (running.empty()) continue;
    const FitJob job = running.back();
    running.pop_back();
    elapsed += fit_s / static_cast<double>(workers);
    search.told(job.id, run_fit(search.material(), job, booster, never), fit_s, elapsed);
  }
  return search.finish();
}

SearchOptions counted(std::uint32_t fits) {
  SearchOptions options;
  options.fits_max = fits;
  options.stop_early = false;
  return options;
}

/// What the outcome's models answer on its own rows must be what it says they answered.
void expect_auc(const Search& search, const Trained& trained, double at_least) {
  models::Model model;
  model.metadata.name = "test";
  model.metadata.task = models::Task::kClassification;
  for (const Feature& feature : search.material().table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = trained.predictor;
  const auto evaluator = models::Evaluator::create(model);
  ASSERT_TRUE(evaluator) << evaluator.error()[0].key << evaluator.error()[0].text;
  const Table fresh = made_up(77, 2000);
  std::vector<float> scores;
  for (std::size_t i = 0; i < fresh.rows(); ++i)
    scores.push_back(static_cast<float>(evaluator->predict(fresh.row(i)).score));
  EXPECT_GT(roc_auc(scores, fresh.labels), at_least);
  EXPECT_LT(calibration_error(scores, fresh.labels), .06);
}

TEST(Search, FindsAModelOnFolds) {
  Search search(made_up(1, 1500), Loss{}, counted(70));
  EXPECT_EQ(search.validation(), Validation::kFolds);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_GT(outcome->best.figures.roc_auc, .84);
  EXPECT_EQ(outcome->rows.size(), 1500U);
  EXPECT_EQ(outcome->labels.size(), 1500U);
  expect_auc(search, outcome->best, .84);
  EXPECT_GT(outcome->positives_needed, 0);
  double weights = 0;
  for (const LeaderboardLine& line : outcome->leaderboard) weights += line.weight;
  EXPECT_NEAR(weights, 1, 1e-9);
}

TEST(Search, FindsAModelOnAHeldOutPart) {
  SearchOptions options = counted(40);
  options.folds_rows_max = 1000;
  Search search(made_up(2, 7000), Loss{}, options);
  EXPECT_EQ(search.validation(), Validation::kHoldout);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_NEAR(static_cast<double>(outcome->rows.size()), 1400, 2);
  expect_auc(search, outcome->best, .84);
}

TEST(Search, GivesTheSameModelsWithAnyNumberOfWorkers) {
  for (const std::size_t rows_max : {std::size_t{12'000}, std::size_t{100}}) {
    SearchOptions options = counted(50);
    options.folds_rows_max = rows_max;
    Search one(made_up(3, 900), Loss{}, options), three(made_up(3, 900), Loss{}, options);
    const auto a = run(one, 1, .01), b = run(three, 3, .7);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->best.predictor, b->best.predictor);
    EXPECT_EQ(a->best.scores, b->best.scores);
  }
}

TEST(Search, StaysWithinItsFits) {
  for (const std::uint32_t fits : {8U, 20U, 35U, 60U, 90U}) {
    Search search(made_up(4, 500), Loss{}, counted(fits));
    std::uint32_t asked = 0;
    SmallBooster booster;
    while (const auto job = search.next(0)) {
      ++asked;
      search.told(job->id, run_fit(search.material(), *job, booster, never), 1, 0);
    }
    EXPECT_TRUE(search.done());
    EXPECT_LE(asked, fits + 6) << "the one candidate that is tried on all folds may exceed it";
    EXPECT_TRUE(search.finish()) << fits;
  }
}

TEST(Search, StaysWithinItsTime) {
  SearchOptions options;
  options.budget_s = 10;
  for (const double fit_s : {.02, .2, 1.5}) {
    Search search(made_up(5, 500), Loss{}, options);
    double elapsed = 0;
    SmallBooster booster;
    while (const auto job = search.next(elapsed)) {
      const double took = std::min(fit_s, std::max(job->end_s - elapsed, .05));
      elapsed += took;
      search.told(job->id, run_fit(search.material(), *job, booster, never), took, elapsed);
    }
    EXPECT_LE(elapsed, 15) << fit_s;
    EXPECT_TRUE(search.finish()) << fit_s;
    EXPECT_EQ(search.progress(elapsed), 1);
  }
}

TEST(Search, CanBeCancelledAtAnyTime) {
  for (const int after : {0, 1, 3, 60}) {
    Search search(made_up(6, 400), Loss{}, counted(100));
    SmallBooster booster;
    for (int i = 0; i < after; ++i) {
      const auto job = search.next(0);
      ASSERT_TRUE(job);
      search.told(job->id, run_fit(search.material(), *job, booster, never), 1, 0);
    }
    const auto last = search.next(0);
    search.cancel();
    EXPECT_FALSE(search.next(0));
    EXPECT_FALSE(search.done());
    search.told(last->id, run_fit(search.material(), *last, booster, never), 1, 0);
    EXPECT_TRUE(search.done());
    EXPECT_EQ(search.finish().has_value(), after >= 60) << after;
  }
}

TEST(Search, SurvivesFitsThatFail) {
  Search search(made_up(7, 400), Loss{}, counted(60));
  SmallBooster booster;
  int asked = 0;
  while (const auto job = search.next(0)) {
    if (++asked % 3 == 0) {
      search.told(job->id, failure(ErrorCode::kUnsupported), 1, 0);
    } else {
      search.told(job->id, run_fit(search.material(), *job, booster, never), 1, 0);
    }
  }
  EXPECT_TRUE(search.done());
}

TEST(Search, OffersAChampionWithinItsBudget) {
  SearchOptions options = counted(60);
  options.champion = {.15, 1 << 20};
  Search search(made_up(8, 1000), Loss{}, options);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->best_is_champion);
  ASSERT_TRUE(outcome->champion);
  EXPECT_LT(outcome->champion->cost.us_row, .16);
  expect_auc(search, *outcome->champion, .8);

  options.champion = {.0001, 1};
  Search none(made_up(8, 1000), Loss{}, options);
  EXPECT_FALSE(run(none, 2)->champion) << "nothing is that cheap";
}

TEST(Search, HoldsOutTheLastQuarterWhenTimesAreKnown) {
  Table table = made_up(9, 2000);
  for (std::size_t i = 0; i < 2000; ++i) table.times_s.push_back(static_cast<double>(i));
  Search search(std::move(table), Loss{}, counted(30));
  EXPECT_EQ(search.validation(), Validation::kTime);
  EXPECT_TRUE(search.material().table.weights.empty()) << "nothing drifts";
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->rows.size(), 500U);
  for (const std::uint32_t row : outcome->rows) EXPECT_GE(row, 1500U);
}

TEST(Search, WeighsRowsByAgeWhenFeaturesDrift) {
  Table table = made_up(9, 2000);
  for (std::size_t i = 0; i < 2000; ++i) {
    table.times_s.push_back(static_cast<double>(i));
    table.values[i * 4] += static_cast<float>(i) / 500;
  }
  const Search search(std::move(table), Loss{}, counted(30));
  const auto& weights = search.material().table.weights;
  ASSERT_EQ(weights.size(), 2000U);
  EXPECT_NEAR(weights[0], 1. / 16, .01);
  EXPECT_EQ(weights[1999], 1);
}

TEST(Search, KeepsUsersOnOneSide) {
  Table table = made_up(10, 1000);
  for (std::size_t i = 0; i < 1000; ++i) table.groups.push_back(mix64(i / 20));
  const Search search(std::move(table), Loss{}, counted(30));
  EXPECT_EQ(search.validation(), Validation::kGroups);
  const Material& material = search.material();
  const auto& groups = material.table.groups;
  for (const std::uint32_t train : material.set(0))
    for (const std::uint32_t valid : material.set(1)) ASSERT_NE(groups[train], groups[valid]);
}

TEST(Search, LearnsValuesWithIntervals) {
  SearchOptions options = counted(60);
  options.objective = Objective::kSquaredError;
  Search search(made_up(11, 1500, false), Loss{Loss::Kind::kSquared, .5}, options);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_LT(outcome->best.figures.rmse, 1.5);
  ASSERT_EQ(outcome->intervals.size(), 3U);
  EXPECT_LT(outcome->intervals[0].second, outcome->intervals[2].second);
  double inside = 0;
  for (std::size_t i = 0; i < outcome->rows.size(); ++i) {
    inside += std::abs(outcome->best.scores[i] - outcome->labels[i]) <=
              static_cast<float>(outcome->intervals[1].second);
  }
  EXPECT_NEAR(inside / static_cast<double>(outcome->rows.size()), .9, .01);
}

TEST(Search, SaysHowManyRowsAreMissing) {
  Table table = made_up(1, 100);
  std::fill(table.labels.begin(), table.labels.end(), 0.F);
  for (std::size_t i = 0; i < 7; ++i) table.labels[i] = 1;
  EXPECT_EQ(Search::rows_missing(table, Loss{}), 13U);
  EXPECT_EQ(Search::rows_missing(made_up(1, 500), Loss{}), 0U);
}

TEST(Portfolio, MovesRecipesWithinTheirBounds) {
  Random random(1);
  for (BoosterRecipe recipe : portfolio()) {
    for (int i = 0; i < 200; ++i) {
      recipe = moved(recipe, Direction::drawn(random), .8);
      ASSERT_TRUE(recipe.eta >= .01 && recipe.eta <= .4);
      ASSERT_TRUE(recipe.rows_ratio >= .4 && recipe.rows_ratio <= 1);
      ASSERT_TRUE(recipe.columns_ratio >= .2 && recipe.columns_ratio <= 1);
      ASSERT_TRUE(recipe.child_weight >= .002 && recipe.child_weight <= 200);
      ASSERT_TRUE(recipe.leaves > 0 ? recipe.leaves >= 3 && recipe.leaves <= 1024
                                    : recipe.depth >= 2 && recipe.depth <= 14);
    }
  }
}

}  // namespace
}  // namespace liminal::learn
