#include "io/xgboost/trainer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <xgboost/c_api.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/evaluator.hpp"

namespace liminal::xgboost {
namespace {

using learn::BoosterRecipe;
using learn::FitJob;
using learn::Loss;
using learn::Material;

bool never() { return false; }

template <class Change>
void relabel(Material& material, Change change) {
  for (float& label : material.table.labels) label = change(label);
  if (!material.loss.classes()) material.unit = learn::unit_of(material.table.labels);
}

/// Rows with missing values and a category; sets 0 (training), 1 (validation) and 2 (all).
Material made_up(std::uint64_t seed, Loss loss, std::size_t rows = 900) {
  Random random(seed);
  Material material;
  material.loss = loss;
  material.table.features = {{"a", "", {}}, {"b", "", {}}, {"kind", "", {"x", "y", "z"}}};
  material.sets.resize(3);
  for (std::uint32_t i = 0; i < rows; ++i) {
    const double a = random.normal(), b = random.normal();
    const auto kind = static_cast<float>(random.below(3));
    const double truth = 2 * a * b + (kind == 1 ? 1 : 0) + .3 * random.normal();
    material.table.values.push_back(random.chance(.1) ? models::kMissing : static_cast<float>(a));
    material.table.values.push_back(static_cast<float>(b));
    material.table.values.push_back(kind);
    material.table.labels.push_back(loss.classes() ? (truth > .5 ? 1.F : 0.F)
                                                   : static_cast<float>(10 + truth));
    material.sets[i % 3 == 0 ? 1 : 0].push_back(i);
    material.sets[2].push_back(i);
  }
  material.encoding = learn_encoding(material.table, {});
  relabel(material, [](float label) { return label; });
  return material;
}

models::Evaluator evaluator_of(const Material& material, const learn::Fit& fit) {
  models::Model model;
  model.metadata.name = "test";
  model.metadata.task =
      material.loss.classes() ? models::Task::kClassification : models::Task::kRegression;
  for (const learn::Feature& feature : material.table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = std::get<models::Trees>(fit.model);
  auto evaluator = models::Evaluator::create(model);
  if (!evaluator) {
    for (const auto& wrong : evaluator.error()) ADD_FAILURE() << wrong.key << wrong.text;
  }
  return std::move(*evaluator);
}

/// XGBoost's own margins came with the fit: the trees as the core evaluates them must agree. It
/// adds trees up in single precision, which is off by up to half a unit in the last place for each.
void expect_agreement(const Material& material, const learn::Fit& fit) {
  const models::Evaluator evaluator = evaluator_of(material, fit);
  ASSERT_EQ(fit.margins.size(), material.set(1).size());
  const auto trees = static_cast<double>(std::get<models::Trees>(fit.model).trees.size());
  const double rounding = 0x1p-24 * trees;
  for (std::size_t i = 0; i < fit.margins.size(); ++i) {
    const models::Prediction ours = evaluator.predict(material.table.row(material.set(1)[i]));
    const auto theirs = static_cast<double>(fit.margins[i]);
    ASSERT_NEAR(ours.margin, theirs, rounding * std::max(1., std::abs(theirs))) << "row " << i;
    if (material.loss.classes()) {
      ASSERT_NEAR(ours.score, 1 / (1 + std::exp(-theirs)), 1e-6) << "row " << i;
    }
  }
}

FitJob job_of(const BoosterRecipe& recipe) {
  FitJob job;
  job.recipe = recipe;
  job.train = 0;
  job.valid = 1;
  job.rounds_max = 60;
  return job;
}

TEST(Trainer, PredictsAsXgboostDoes) {
  BoosterRecipe shallow{.eta = .1, .depth = 4, .rows_ratio = .8, .columns_ratio = .8};
  BoosterRecipe leaves{.eta = .1, .leaves = 18, .child_weight = .8, .l1 = .1, .gain_min = .5};
  BoosterRecipe parallel{.eta = .2, .depth = 8, .columns_ratio = .6, .parallel = 4};
  for (const Loss loss : {Loss{},
                          Loss{Loss::Kind::kSquared, .5},
                          Loss{Loss::Kind::kPinball, .5},
                          Loss{Loss::Kind::kPinball, .9}}) {
    const Material material = made_up(1, loss);
    Trainer trainer;
    for (const BoosterRecipe& recipe : {shallow, leaves, parallel}) {
      const auto fit = trainer.train(material, job_of(recipe), recipe, never);
      ASSERT_TRUE(fit) << trainer.complaint();
      EXPECT_EQ(std::get<models::Trees>(fit->model).trees.size(), fit->rounds * recipe.parallel);
      expect_agreement(material, *fit);
    }
  }
}

TEST(Trainer, LearnsWhatIsThere) {
  const Material material = made_up(2, Loss{}, 3000);
  Trainer trainer;
  const BoosterRecipe recipe{.eta = .1, .depth = 5};
  const auto fit = trainer.train(material, job_of(recipe), recipe, never);
  ASSERT_TRUE(fit);
  EXPECT_GT(learn::roc_auc(fit->margins, material.labels(1)), .9);
  EXPECT_TRUE(fit->complete);
  EXPECT_LT(fit->rounds, fit->built);
}

TEST(Trainer, FindsTheQuantileThatIsAskedFor) {
  const Material material = made_up(2, Loss{Loss::Kind::kPinball, .9}, 3000);
  Trainer trainer;
  const BoosterRecipe recipe{.eta = .1, .depth = 4};
  const auto fit = run_fit(material, job_of(recipe), trainer, never);
  ASSERT_TRUE(fit);
  const auto labels = material.labels(1);
  double below = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) below += labels[i] < fit->margins[i];
  EXPECT_NEAR(below / static_cast<double>(labels.size()), .9, .05);
}

// Steps are as long as residuals are, whatever unit they have. By the slope of the loss alone,
// below 1 everywhere, labels in thousands were never reached.
TEST(Trainer, FindsQuantilesInAnyUnit) {
  for (const double level : {.5, .9}) {
    const Material material = made_up(2, Loss{Loss::Kind::kPinball, level}, 1500);
    Material scaled = material;
    relabel(scaled, [](float label) { return 4096 * label; });
    const auto labels = material.labels(1);
    const std::vector<float> start(labels.size(), level == .5 ? 10.2F : 12.5F);
    const double without = learn::pinball(start, labels, level);
    for (const double blunt : {.3, 1.}) {
      const BoosterRecipe recipe{.eta = .3, .depth = 4, .l1 = .1, .gain_min = .1, .blunt = blunt};
      Trainer trainer;
      const auto fit = run_fit(material, job_of(recipe), trainer, never);
      const auto large = run_fit(scaled, job_of(recipe), trainer, never);
      ASSERT_TRUE(fit && large) << trainer.complaint();
      const double error = learn::pinball(fit->margins, labels, level);
      EXPECT_LT(error, .75 * without) << level << " " << blunt;
      const double error_large = learn::pinball(large->margins, scaled.labels(1), level) / 4096;
      EXPECT_NEAR(error_large, error, .02 * error);
    }
  }
}

// The noise has no variance, and labels are in thousands.
TEST(Trainer, FindsMediansUnderHeavyTails) {
  Material material = made_up(4, Loss{Loss::Kind::kPinball, .5}, 1500);
  Random random(5);
  std::vector<float> truth;
  relabel(material, [&](float label) {
    truth.push_back(1000 * label);
    const double noise = 200 * random.normal() / std::pow(random.uniform() + 1e-9, .7);
    return static_cast<float>(static_cast<double>(truth.back()) + noise);
  });
  const auto labels = material.labels(1);
  std::vector<float> best, start(labels.size(), 10'200.F);
  for (const std::uint32_t row : material.set(1)) best.push_back(truth[row]);
  const BoosterRecipe recipe{.eta = .1, .depth = 4, .blunt = 1};
  Trainer trainer;
  const auto fit = run_fit(material, job_of(recipe), trainer, never);
  ASSERT_TRUE(fit) << trainer.complaint();
  const double least = learn::mean_absolute_error(best, labels);
  const double most = learn::mean_absolute_error(start, labels);
  EXPECT_LT(learn::mean_absolute_error(fit->margins, labels), least + .7 * (most - least));
}

/// Labels in another unit; float holds both well.
Material told_in(const Material& material, double scale, double shift) {
  Material other = material;
  relabel(other, [&](float label) {
    return static_cast<float>(shift + scale * static_cast<double>(label));
  });
  return other;
}

// Bytes, prices and times lie far from 0 for how much they differ. XGBoost adds trees up in single
// precision, in which small leaves were lost beside a large start: its margins, by which all was
// chosen, were not what the trees that it gave add up to.
TEST(RunFit, IsAsGoodWhereLabelsLieFarFromZero) {
  constexpr double kFar = 1e7, kStep = 1;  // of floats there
  for (const auto kind : {Loss::Kind::kSquared, Loss::Kind::kPinball}) {
    // Deviations of some 50, so that the rounding of labels is small beside what is to be learnt.
    const Material near = told_in(made_up(6, Loss{kind, .5}, 1500), 25, 0);
    const Material far = told_in(near, 1, kFar);
    const BoosterRecipe recipe{.eta = .015, .depth = 6};
    FitJob job = job_of(recipe);
    job.rounds_max = 600;
    Trainer trainer;
    const auto one = run_fit(near, job, trainer, never), two = run_fit(far, job, trainer, never);
    ASSERT_TRUE(one && two) << trainer.complaint();
    const double error = learn::mean_absolute_error(one->margins, near.labels(1));
    EXPECT_NEAR(learn::mean_absolute_error(two->margins, far.labels(1)), error, .03 * error);
    // What answers, by every row.
    const models::Evaluator evaluator = evaluator_of(far, *two);
    for (std::size_t i = 0; i < two->margins.size(); ++i)
      ASSERT_NEAR(evaluator.predict(far.table.row(far.set(1)[i])).score,
                  static_cast<double>(two->margins[i]),
                  kStep);
  }
}

TEST(UnitOf, TakesRoundingForNoDeviation) {
  const std::vector<float> same(1000, .1F), far(1000, 123'456'789.F), none;
  for (const auto* labels : {&same, &far, &none}) EXPECT_EQ(learn::unit_of(*labels).scale, 1);
  std::vector<float> steps(1000, 0x1p22F);
  for (std::size_t i = 0; i < steps.size(); i += 2) ++steps[i];
  EXPECT_EQ(learn::unit_of(steps).scale, .5);
}

// Whatever labels are: what is told back is what was there.
TEST(RunFit, TellsConstantLabelsBack) {
  for (const float constant : {0.F, .1F, -3e8F}) {
    for (const auto kind : {Loss::Kind::kSquared, Loss::Kind::kPinball}) {
      Material material = made_up(7, Loss{kind, .5}, 300);
      relabel(material, [&](float) { return constant; });
      const BoosterRecipe recipe{.eta = .3, .depth = 3};
      Trainer trainer;
      const auto fit = run_fit(material, job_of(recipe), trainer, never);
      ASSERT_TRUE(fit) << trainer.complaint();
      for (const float margin : fit->margins)
        ASSERT_NEAR(margin, constant, 1e-6 * std::abs(constant));
    }
  }
}

// What penalties of a recipe cost would be another thing in milliseconds than in seconds. Labels
// are rounded in the other unit, so that of splits that gain alike another may be taken: rarely,
// and of no consequence.
RC_GTEST_PROP(RunFit, GivesTheSameModelInAnyUnit, ()) {
  const auto seed = *rc::gen::inRange<std::uint64_t>(1, 1000);
  const double scale = std::pow(10., *rc::gen::inRange(-4, 5));
  const double shift = scale * *rc::gen::inRange(-50, 50);
  const auto kind = *rc::gen::element(Loss::Kind::kSquared, Loss::Kind::kPinball);
  const Material material = made_up(seed, Loss{kind, .5}, 300);
  const Material other = told_in(material, scale, shift);
  for (const learn::Recipe& recipe :
       {learn::Recipe(BoosterRecipe{.eta = .3, .leaves = 8, .l1 = .3, .gain_min = .5}),
        learn::Recipe(learn::ForestRecipe{.trees = 10, .leaf_rows = 3}),
        learn::Recipe(learn::LinearRecipe{.l2 = 30})}) {
    FitJob job = job_of({});
    job.recipe = recipe;
    Trainer trainer;
    const auto one = run_fit(material, job, trainer, never),
               two = run_fit(other, job, trainer, never);
    RC_ASSERT(one.has_value() && two.has_value());
    double off = 0;
    for (std::size_t i = 0; i < one->margins.size(); ++i)
      off += std::abs((static_cast<double>(two->margins[i]) - shift) / scale -
                      static_cast<double>(one->margins[i]));
    RC_ASSERT(off / static_cast<double>(one->margins.size()) < .01);
  }
}

TEST(Trainer, GivesTheSameTreesForTheSameJob) {
  const Material material = made_up(3, Loss{});
  const BoosterRecipe recipe{.eta = .1, .depth = 4, .rows_ratio = .7, .columns_ratio = .7};
  Trainer first, second;
  const auto a = first.train(material, job_of(recipe), recipe, never);
  const auto again = first.train(material, job_of(recipe), recipe, never);
  const auto b = second.train(material, job_of(recipe), recipe, never);
  EXPECT_EQ(std::get<models::Trees>(a->model), std::get<models::Trees>(b->model));
  EXPECT_EQ(std::get<models::Trees>(a->model), std::get<models::Trees>(again->model));
}

TEST(Trainer, TellsMaterialsInOnePlaceOfMemoryApart) {
  const BoosterRecipe recipe{.eta = .1, .depth = 4};
  Trainer trainer, fresh;
  Material material = made_up(1, Loss{});
  ASSERT_TRUE(trainer.train(material, job_of(recipe), recipe, never));
  material = made_up(2, Loss{});
  const auto fit = trainer.train(material, job_of(recipe), recipe, never);
  const auto expected = fresh.train(material, job_of(recipe), recipe, never);
  ASSERT_TRUE(fit && expected);
  EXPECT_EQ(std::get<models::Trees>(fit->model), std::get<models::Trees>(expected->model));
}

TEST(Trainer, TakesAnInfiniteValueAsMissing) {
  Material material = made_up(1, Loss{}), missing = material;
  for (std::size_t i = 0; i < 30; ++i) {
    material.table.values[3 * i] =
        (i % 2 == 0 ? 1.F : -1.F) * std::numeric_limits<float>::infinity();
    missing.table.values[3 * i] = models::kMissing;
  }
  const BoosterRecipe recipe{.eta = .1, .depth = 4};
  Trainer trainer;
  const auto fit = trainer.train(material, job_of(recipe), recipe, never);
  ASSERT_TRUE(fit) << trainer.complaint();
  const auto expected = trainer.train(missing, job_of(recipe), recipe, never);
  EXPECT_EQ(std::get<models::Trees>(fit->model), std::get<models::Trees>(expected->model));
}

TEST(Trainer, WithoutValidationKeepsEveryRound) {
  const Material material = made_up(3, Loss{});
  const BoosterRecipe recipe{.eta = .1, .depth = 3};
  FitJob job = job_of(recipe);
  job.train = 2;
  job.valid = Material::kNoRows;
  job.rounds_max = 17;
  Trainer trainer;
  const auto fit = trainer.train(material, job, recipe, never);
  ASSERT_TRUE(fit);
  EXPECT_EQ(std::get<models::Trees>(fit->model).trees.size(), 17U);
  EXPECT_TRUE(fit->margins.empty());
  EXPECT_TRUE(fit->complete);
}

TEST(Trainer, StopsWithWhatThereIs) {
  const Material material = made_up(3, Loss{});
  const BoosterRecipe recipe{.eta = .01, .depth = 3};
  Trainer trainer;
  int asked = 0;
  const auto fit = trainer.train(material, job_of(recipe), recipe, [&] { return ++asked > 10; });
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->built, 10U);
  EXPECT_FALSE(fit->complete);
  const auto none = trainer.train(material, job_of(recipe), recipe, [] { return true; });
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
}

TEST(Trainer, SaysWhatXgboostRefuses) {
  const Material material = made_up(3, Loss{});
  const BoosterRecipe recipe{.eta = -1};
  Trainer trainer;
  const auto fit = trainer.train(material, job_of(recipe), recipe, never);
  ASSERT_FALSE(fit);
  EXPECT_EQ(fit.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(trainer.complaint().find("learning_rate"), std::string::npos) << trainer.complaint();
}

TEST(ReadTrees, RefusesWhatIsNoModel) {
  for (const std::string_view bytes : {"", "{", "{}", "not a model", "{i\x07learner{}}"})
    EXPECT_EQ(read_trees(bytes, 0).error().code, ErrorCode::kMalformed) << bytes;
}

}  // namespace
}  // namespace liminal::xgboost
