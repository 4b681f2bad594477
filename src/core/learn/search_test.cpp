#include "core/learn/search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "core/base/random.hpp"
#include "core/learn/extra_trees.hpp"
#include "core/learn/portfolio.hpp"
#include "core/learn/remake.hpp"
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
                                           material.unit_labels(job.train),
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
  options.fresh_ratio = 0;
  return options;
}

models::Evaluator evaluator_of(const Search& search,
                               const Trained& trained,
                               models::Task task = models::Task::kClassification) {
  models::Model model;
  model.metadata.name = "test";
  model.metadata.task = task;
  for (const Feature& feature : search.material().table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = trained.predictor;
  auto evaluator = models::Evaluator::create(model);
  if (!evaluator) ADD_FAILURE() << evaluator.error()[0].key << evaluator.error()[0].text;
  return std::move(*evaluator);
}

/// How an outcome's model does on rows that are really new.
void expect_auc(const Search& search, const Trained& trained, double at_least) {
  const models::Evaluator evaluator = evaluator_of(search, trained);
  const Table fresh = made_up(77, 2000);
  std::vector<float> scores;
  for (std::size_t i = 0; i < fresh.rows(); ++i)
    scores.push_back(static_cast<float>(evaluator.predict(fresh.row(i)).score));
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
    EXPECT_LE(asked, fits);
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
  EXPECT_TRUE(search.finish({1e6, 1e9})->best_is_champion) << "asked again with more room";
  EXPECT_FALSE(search.finish({.0001, 1})->champion) << "and with less";

  options.champion = {.0001, 1};
  Search none(made_up(8, 1000), Loss{}, options);
  EXPECT_FALSE(run(none, 2)->champion) << "nothing is that cheap";
}

TEST(Search, OffersALineWhenNothingElseIsCheapEnough) {
  for (const std::size_t rows_max : {std::size_t{12'000}, std::size_t{100}}) {
    SearchOptions options = counted(60);
    options.champion = {.03, 200};
    options.folds_rows_max = rows_max;
    Search search(made_up(8, 1000), Loss{}, options);
    const auto outcome = run(search, 2);
    ASSERT_TRUE(outcome && outcome->champion) << rows_max;
    EXPECT_TRUE(outcome->champion->cost.within(options.champion));
    EXPECT_GT(outcome->champion->figures.roc_auc, .75);
  }
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
  const auto& intervals = outcome->best.intervals;
  ASSERT_EQ(intervals.size(), 3U);
  EXPECT_LT(intervals[0].second, intervals[2].second);
  double inside = 0;
  for (std::size_t i = 0; i < outcome->rows.size(); ++i) {
    inside += std::abs(outcome->best.scores[i] - outcome->labels[i]) <=
              static_cast<float>(intervals[1].second);
  }
  EXPECT_NEAR(inside / static_cast<double>(outcome->rows.size()), .9, .01);
}

/// A category of many levels and a number, neither of which has to do with the label.
Table noise(std::size_t rows, std::size_t levels) {
  Random random(31);
  Table table;
  table.features = {{"who", "", {}}, {"number", "", {}}};
  for (std::size_t i = 0; i < levels; ++i)
    table.features[0].levels.push_back("level" + std::to_string(i));
  for (std::size_t i = 0; i < rows; ++i) {
    table.values.push_back(static_cast<float>(random.below(levels)));
    table.values.push_back(static_cast<float>(random.normal()));
    table.labels.push_back(random.chance(.4) ? 1.F : 0.F);
  }
  return table;
}

// The area's deviation is .011 by chance, and the best of some twenty candidates is chosen by it.
TEST(Search, FindsNothingInACategoryThatSaysNothing) {
  for (const std::size_t rows_max : {std::size_t{12'000}, std::size_t{100}}) {
    SearchOptions options = counted(50);
    options.folds_rows_max = rows_max;
    Search search(noise(3000, 1000), Loss{}, options);
    const auto outcome = run(search, 2);
    ASSERT_TRUE(outcome);
    EXPECT_LT(outcome->best.figures.roc_auc, rows_max == 100 ? .58 : .54) << rows_max;
  }
}

TEST(Search, FindsWhatACategoryOfManyLevelsSays) {
  Table table = noise(3000, 100);
  Random random(32);
  for (std::size_t i = 0; i < table.rows(); ++i)
    table.labels[i] = random.chance(static_cast<double>(table.row(i)[0]) / 100) ? 1.F : 0.F;
  Search search(std::move(table), Loss{}, counted(40));
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_GT(outcome->best.figures.roc_auc, .78);
}

TEST(Search, TakesInfiniteValuesAsMissing) {
  Table table = made_up(1, 600), missing = table;
  for (std::size_t i = 0; i < 60; ++i) {
    table.values[4 * i + 3] = std::numeric_limits<float>::infinity();
    missing.values[4 * i + 3] = models::kMissing;
  }
  Search with(std::move(table), Loss{}, counted(40));
  Search without(std::move(missing), Loss{}, counted(40));
  const auto a = run(with, 1), b = run(without, 1);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->best.predictor, b->best.predictor);
}

TEST(Search, JudgesOnRowsThatItNeverSaw) {
  SearchOptions options = counted(40);
  options.fresh_ratio = .2;
  Table table = made_up(1, 1500);
  for (std::size_t i = 0; i < 1500; ++i) table.groups.push_back(i / 3);
  Table other = table;
  Search search(std::move(table), Loss{}, options);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->fresh);
  EXPECT_NEAR(static_cast<double>(outcome->rows.size()), 300, 3);
  EXPECT_GT(outcome->best.figures.roc_auc, .8);
  for (const std::uint32_t row : outcome->rows) other.labels[row] = 1 - other.labels[row];
  Search misled(std::move(other), Loss{}, options);
  const auto wrong = run(misled, 2);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->best.predictor, outcome->best.predictor);
  EXPECT_NEAR(wrong->best.figures.roc_auc, 1 - outcome->best.figures.roc_auc, 1e-9);
}

// The share of 1,500 new rows inside has a deviation of .008, and the line itself, of 300 rows, one
// of .017: .055 is three of both.
TEST(Search, GivesIntervalsThatHoldTheTruthOfFreshRows) {
  SearchOptions options = counted(40);
  options.objective = Objective::kSquaredError;
  options.fresh_ratio = .2;
  options.champion = {.2, 1 << 20};
  Search search(made_up(11, 1500, false), Loss{Loss::Kind::kSquared, .5}, options);
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome && outcome->champion);
  EXPECT_TRUE(outcome->fresh);
  const Table fresh = made_up(78, 1500, false);
  for (const Trained* trained : {&outcome->best, &*outcome->champion}) {
    const auto evaluator = evaluator_of(search, *trained, models::Task::kRegression);
    ASSERT_EQ(trained->intervals.size(), 3U);
    double inside = 0;
    for (std::size_t i = 0; i < fresh.rows(); ++i) {
      const double said = evaluator.predict(fresh.row(i)).score;
      inside +=
          std::abs(said - static_cast<double>(fresh.labels[i])) <= trained->intervals[1].second;
    }
    EXPECT_NEAR(inside / static_cast<double>(fresh.rows()), .9, .055);
  }
}

TEST(Search, HoldsOutNothingOfFewRows) {
  SearchOptions options = counted(30);
  options.fresh_ratio = .2;
  Search search(made_up(1, 60), Loss{}, options);
  const auto outcome = run(search, 1);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->fresh);
  EXPECT_EQ(outcome->rows.size(), 60U);
}

TEST(Search, JudgesOnOtherUsersAndLaterTimes) {
  SearchOptions options = counted(30);
  options.fresh_ratio = .2;
  for (const bool come_and_go : {true, false}) {
    Table table = made_up(10, 3000);
    for (std::size_t i = 0; i < 3000; ++i) {
      table.times_s.push_back(static_cast<double>(i));
      table.groups.push_back(come_and_go ? mix64(i / 20) : mix64(i % 60));
    }
    Search search(std::move(table), Loss{}, options);
    EXPECT_EQ(search.validation(), Validation::kTimeGroups);
    const Material& material = search.material();
    for (std::size_t set = 0; set + 1 < material.sets.size(); set += 2) {
      for (const std::uint32_t train : material.sets[set]) {
        for (const std::uint32_t valid : material.sets[set + 1]) {
          ASSERT_NE(material.table.groups[train], material.table.groups[valid]);
          ASSERT_LT(train, valid);
        }
      }
    }
    const auto outcome = run(search, 2);
    ASSERT_TRUE(outcome);
    for (const std::uint32_t row : outcome->rows) EXPECT_GE(row, 2400U);
    EXPECT_EQ(outcome->unseen_rows > 500, come_and_go);
    EXPECT_EQ(std::isfinite(outcome->best.unseen_figures.roc_auc), come_and_go);
  }
}

TEST(Search, KeepsTwoUsersApart) {
  Table table = made_up(10, 400);
  for (std::size_t i = 0; i < 400; ++i) table.groups.push_back(i % 2);
  Search search(std::move(table), Loss{}, counted(30));
  EXPECT_EQ(search.validation(), Validation::kGroups);
  const Material& material = search.material();
  EXPECT_NE(material.table.groups[material.set(0)[0]], material.table.groups[material.set(1)[0]]);
  EXPECT_TRUE(run(search, 2));
}

TEST(Search, SaysAtOnceThatAPartCannotBeJudged) {
  Table table = made_up(10, 400);
  for (std::size_t i = 0; i < 400; ++i) {
    table.times_s.push_back(static_cast<double>(i));
    if (i >= 290) table.labels[i] = 0;
  }
  Search search(std::move(table), Loss{}, counted(30));
  ASSERT_EQ(search.problems().size(), 1U);
  EXPECT_THAT(search.problems()[0].text, ::testing::HasSubstr("0 positive and"));
  EXPECT_TRUE(search.done());
  EXPECT_FALSE(search.next(0));
  EXPECT_EQ(search.finish().error().code, ErrorCode::kUnavailable);
}

TEST(Search, SaysWhatIsWrongWithItsOptions) {
  SearchOptions options;
  options.budget_s = 0;
  options.workers = 0;
  options.fresh_ratio = 2;
  EXPECT_EQ(Search(made_up(1, 200), Loss{}, options).problems().size(), 3U);
}

// Of 50 features that do not drift, some one exceeds .2 by chance in 100 rows a quarter.
TEST(Search, DoesNotWeighRowsByAgeByChance) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Random random(seed);
    Table table;
    for (int f = 0; f < 50; ++f) table.features.push_back({"f" + std::to_string(f), "", {}});
    for (std::size_t i = 0; i < 400; ++i) {
      for (int f = 0; f < 50; ++f) table.values.push_back(static_cast<float>(random.normal()));
      table.labels.push_back(random.chance(.5) ? 1.F : 0.F);
      table.times_s.push_back(static_cast<double>(i));
    }
    const Search search(std::move(table), Loss{}, counted(30));
    EXPECT_TRUE(search.material().table.weights.empty()) << seed;
  }
}

TEST(Search, SaysHowManyRowsAreMissing) {
  Table table = made_up(1, 100);
  std::fill(table.labels.begin(), table.labels.end(), 0.F);
  for (std::size_t i = 0; i < 7; ++i) table.labels[i] = 1;
  EXPECT_EQ(Search::rows_missing(table, Loss{}), 13U);
  EXPECT_EQ(Search::rows_missing(made_up(1, 500), Loss{}), 0U);
}

TEST(Portfolio, DiffersInBluntnessForMediansAlone) {
  const auto medians = portfolio({Loss::Kind::kPinball, .5});
  EXPECT_GT(std::set<double>({medians[0].blunt, medians[1].blunt, medians[4].blunt}).size(), 2U);
  EXPECT_EQ(portfolio({Loss::Kind::kPinball, .9}), portfolio({Loss::Kind::kSquared, .5}));
}

TEST(Search, TakesQuantilesInTheLeavesOfForests) {
  Table table = made_up(12, 1500, false);
  Random random(13);
  for (float& label : table.labels)
    if (random.chance(.2)) label += 1e4F;
  Search search(std::move(table), {Loss::Kind::kPinball, .5}, counted(30));
  FitJob job;
  job.recipe = ForestRecipe{30, 5, .6};
  job.train = 0;
  job.valid = 1;
  SmallBooster booster;
  const auto fit = run_fit(search.material(), job, booster, never);
  ASSERT_TRUE(fit);
  double mean = 0;
  for (const float said : fit->margins)
    mean += static_cast<double>(said) / static_cast<double>(fit->margins.size());
  EXPECT_LT(mean, 1000) << "that of the labels is 2,000";
}

TEST(Portfolio, MovesRecipesWithinTheirBounds) {
  Random random(1);
  for (BoosterRecipe recipe : portfolio(Loss{})) {
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

/// On rows that are really new.
double fresh_auc(const Search& search, const Trained& trained) {
  const models::Evaluator evaluator = evaluator_of(search, trained);
  const Table fresh = made_up(78, 2000);
  std::vector<float> scores;
  for (std::size_t i = 0; i < fresh.rows(); ++i)
    scores.push_back(static_cast<float>(evaluator.predict(fresh.row(i)).score));
  return roc_auc(scores, fresh.labels);
}

Fitter small_fitter() {
  return [](const Material& material, const FitJob& job, double, const Stop& stop) {
    SmallBooster booster;
    return run_fit(material, job, booster, stop);
  };
}

TEST(Remake, GivesTheModelOfTheSameRowsAgain) {
  Search search(made_up(5, 900), Loss{}, counted(40));
  const auto outcome = run(search, 2);
  ASSERT_TRUE(outcome);
  ASSERT_FALSE(outcome->best.recipes.members.empty());
  double sum = 0;
  for (const auto& member : outcome->best.recipes.members) sum += member.weight;
  EXPECT_NEAR(sum, 1, 1e-9);
  ASSERT_TRUE(outcome->champion);
  const Fitter fitter = small_fitter();
  const Material all = material_of_all(made_up(5, 900), Loss{}, counted(40));
  const auto again = remake(all, outcome->champion->recipes, 1, fitter, never);
  ASSERT_TRUE(again);
  const auto twice = remake(all, outcome->champion->recipes, 1, fitter, never);
  EXPECT_EQ(*again, *twice);
  Trained remade = *outcome->champion;
  remade.predictor = *again;
  EXPECT_GT(fresh_auc(search, remade), .8);
}

TEST(Remake, LearnsFromRowsThatTheSearchHeldOut) {
  SearchOptions options = counted(40);
  options.fresh_ratio = .5;
  const Table table = made_up(6, 400);
  Search search(table, Loss{}, options);
  const auto outcome = run(search, 1);
  ASSERT_TRUE(outcome && outcome->fresh);
  const Material all = material_of_all(table, Loss{}, options);
  EXPECT_EQ(all.set(0).size(), table.rows());
  Trained remade = outcome->best;
  remade.predictor = *remake(all, outcome->best.recipes, options.seed, small_fitter(), never);
  EXPECT_NE(remade.predictor, outcome->best.predictor);
  EXPECT_GT(fresh_auc(search, remade), .8);
}

TEST(Remake, IsNotThereWhenItWasStopped) {
  Search search(made_up(7, 300), Loss{}, counted(20));
  const auto outcome = run(search, 1);
  ASSERT_TRUE(outcome);
  const Fitter fitter = small_fitter();
  const Material all = material_of_all(made_up(7, 300), Loss{}, counted(20));
  const auto stopped = remake(all, outcome->best.recipes, 1, fitter, [] { return true; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace liminal::learn
