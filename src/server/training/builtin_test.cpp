#include "server/training/builtin.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "server/training/test_rows.hpp"

namespace liminal::training {
namespace {

using testing::HasSubstr;

TEST(Builtin, TrainsAModelThatBeatsChance) {
  double progress = 0;
  const Telling listening{[] { return false; },
                          [&](double now, std::vector<learn::JobLine>) {
                            EXPECT_GE(now, progress);
                            progress = now;
                          }};
  const auto made = train_builtin(made_up(true, true), options(), listening);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_GE(progress, .85) << "of the guard and of fitting once more, too";
  EXPECT_TRUE(made->better) << testing::PrintToString(made->reasons);
  EXPECT_GT(metric(*made, "roc_auc"), .95);
  EXPECT_GT(metric(*made, "judged_roc_auc"), .95);
  EXPECT_GT(metric(*made, "roc_auc_without_rule_features"), .8);
  EXPECT_FALSE(made->leaderboard.empty());
  EXPECT_THAT(made->report, HasSubstr("\"how\":\"later rows of other users\""));
  EXPECT_TRUE(models::Evaluator::create(made->model));
}

TEST(Builtin, DoesNotBelieveAModelThatOnlyRepeatsTheRules) {
  const auto made = train_builtin(made_up(false, false), options(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->better);
  EXPECT_TRUE(says(*made, "may only repeat the rules")) << testing::PrintToString(made->reasons);
  EXPECT_GT(metric(*made, "roc_auc"), .9);
  EXPECT_LT(metric(*made, "roc_auc_without_rule_features"), .6);
}

TEST(Builtin, KeepsAnEquallyGoodChampion) {
  auto first = train_builtin(made_up(true, true), options(), kNobody);
  ASSERT_TRUE(first);
  auto again = options();
  again.champion = *models::Scorer::own(first->model);
  again.champion_judged = *models::Scorer::own(*first->judged);
  again.champion_trained_s = 1e9;
  again.request.seed = 2;
  const auto second = train_builtin(made_up(true, true), again, kNobody);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->better);
  EXPECT_TRUE(says(*second, "not shown to be better")) << testing::PrintToString(second->reasons);
  // The champion has learnt all of these rows by now; what it is compared with has not.
  EXPECT_TRUE(says(*second, "held-out rows that neither has learnt"));
  EXPECT_EQ(metric(*second, "champion_roc_auc"), metric(*first, "roc_auc"));
}

TEST(Builtin, ABetterModelTakesThePlaceOfAChampionThatHasLearntAllRows) {
  Rows poor = made_up(true, true);
  Random random(8);
  for (std::size_t i = 0; i < poor.table.rows(); ++i)  // what it learnt from was noisier
    for (std::size_t f = 0; f < 2; ++f)
      poor.table.values[3 * i + f] += static_cast<float>(4 * random.normal());
  auto first = train_builtin(poor, options(), kNobody);
  ASSERT_TRUE(first);
  auto again = options();
  again.champion = *models::Scorer::own(first->model);
  again.champion_judged = *models::Scorer::own(*first->judged);
  again.champion_trained_s = 1e9;
  again.looks = 3;
  again.champion_reference = first->reference;
  const auto second = train_builtin(made_up(true, true), again, kNobody);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->better) << testing::PrintToString(second->reasons);
  EXPECT_TRUE(says(*second, "the 3 that were compared with this champion"));
  EXPECT_TRUE(says(*second, "line 2."));  // of .05/3: 2.13 of many users
  EXPECT_THAT(second->report, HasSubstr("\"drift_since_champion\":{"));
  EXPECT_THAT(second->report, HasSubstr("Find out why rate changed"));
}

TEST(Builtin, StaysChallengerWhenItIsMuchWorseOnWhatPeopleJudged) {
  // Abuse that people judge shows in the size, other abuse in the rate; the champion knows the
  // size.
  Rows rows;
  Random random(12);
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  for (std::uint64_t user = 0; user < 400; ++user) {
    const bool bad = user % 4 == 0, judged = user % 5 == 0;
    for (int i = 0; i < 10; ++i) {
      const double rate = random.normal() + (bad && !judged ? 3 : 0);
      const double size = random.normal() - (bad && judged ? 2.5 : 0);
      for (const double value : {rate, size, 0.})
        rows.table.values.push_back(static_cast<float>(value));
      rows.table.labels.push_back(bad ? 1 : 0);
      rows.table.weights.push_back(judged ? .02F : 1);
      rows.table.times_s.push_back(i * 60);
      rows.table.groups.push_back(user);
      rows.judged.push_back(judged ? 1 : 0);
    }
  }
  models::Model champion;
  champion.metadata.task = models::Task::kClassification;
  for (const std::string& feature : definition().features)
    champion.metadata.features.push_back({feature, ""});
  champion.predictor = models::Linear{{}, {0, -1, 0}, -2, models::Link::kLogistic};
  auto how = options();
  how.champion = *models::Scorer::own(champion);
  const auto made = train_builtin(rows, how, kNobody);
  ASSERT_TRUE(made);
  EXPECT_GT(metric(*made, "roc_auc"), metric(*made, "champion_roc_auc"));
  EXPECT_FALSE(made->better);
  EXPECT_TRUE(says(*made, "slice of what people judged is much worse"))
      << testing::PrintToString(made->reasons);
}

/// The share of rows that a table's model says are positive, and that are, later than a time.
std::pair<double, double> said_and_is(const models::Model& model,
                                      const learn::Table& table,
                                      double after_s) {
  const auto evaluator = *models::Evaluator::create(model);
  double said = 0, is = 0, rows = 0;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.times_s[i] < after_s) continue;
    said += evaluator.predict(table.row(i)).score;
    is += double{table.labels[i]};
    ++rows;
  }
  return {said / rows, is / rows};
}

TEST(Builtin, ProbabilitiesAreThoseOfTheTimeOfTheRowsThatJudge) {
  // Abusers come early for the most part: what is learnt from holds five times as many.
  Rows rows;
  Random random(13);
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  // Users are held out by their names. By these a quarter on either side are abusers; by others the
  // gate may refuse for the luck of some 50 abusers.
  for (std::uint64_t user = 5000; user < 5600; ++user) {
    const bool bad = user % 4 == 0;
    for (int i = 0; i < 12; ++i) {
      if (bad && i > 2 && i % 4 != 0) continue;
      for (const double value : {random.normal() + (bad ? 1.2 : 0), random.normal(), 0.})
        rows.table.values.push_back(static_cast<float>(value));
      rows.table.labels.push_back(bad ? 1 : 0);
      rows.table.weights.push_back(1);
      rows.table.times_s.push_back(i * 60);
      rows.table.groups.push_back(user);
    }
  }
  const auto made = train_builtin(rows, options(), kNobody);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->better) << testing::PrintToString(made->reasons);
  EXPECT_LT(metric(*made, "calibration_error"), .04);
  for (const models::Model& model : {*made->judged, made->model}) {
    const auto [said, is] = said_and_is(model, rows.table, 2 * 60);
    EXPECT_NEAR(said / is, 1, .3);
  }
}

TEST(Builtin, FiguresOfValuesAreOfUsersThatWereNotLearntFrom) {
  // Every user has a level of its own that its features tell apart but do not explain.
  learn::ModelDefinition what{"level", models::Task::kRegression, {"a", "b"}, "y"};
  Rows rows;
  Random random(14);
  rows.table.features = {{"a", "", {}}, {"b", "", {}}};
  for (std::uint64_t user = 0; user < 60; ++user) {
    const double a = random.normal(), b = random.normal(), level = 30 * random.normal();
    for (int i = 0; i < 20; ++i) {
      rows.table.values.push_back(static_cast<float>(a));
      rows.table.values.push_back(static_cast<float>(b));
      rows.table.labels.push_back(static_cast<float>(level + random.normal()));
      rows.table.groups.push_back(user);
    }
  }
  const auto made = train_builtin(rows, options(what), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->report, HasSubstr("\"how\":\"other users\""));
  EXPECT_GT(metric(*made, "mean_absolute_error"), 15);
  EXPECT_FALSE(made->better);
}

TEST(Builtin, InjectedAbuseTeachesAndIsInNoFigure) {
  Rows rows = made_up(false, true);
  std::vector<std::uint32_t> some;
  for (std::uint32_t row = 0; row < rows.table.rows(); row += 2) some.push_back(row);
  rows.table = rows.table.chosen(some);
  rows.judged.assign(some.size(), 1);
  rows.rule_features.clear();
  BuiltinOptions few = options();
  few.request.fits_max = 8;
  const auto plain = train_builtin(rows, few, kNobody);
  // Abuse of another kind than what is there: it shows in the size.
  rows.injected.features = rows.table.features;
  for (std::uint64_t i = 0; i < 200; ++i) {
    rows.injected.values.insert(rows.injected.values.end(), {0, -6, 0});
    rows.injected.labels.push_back(1);
    rows.injected.weights.push_back(.1F);
    rows.injected.groups.push_back(1000 + i / 8);
  }
  const auto taught = train_builtin(rows, few, kNobody);
  ASSERT_TRUE(plain && taught);
  const auto said = [](const learn::TrainedModel& made) {
    const std::vector<float> row{0, -6, 0};
    return models::Evaluator::create(made.model)->predict(row).score;
  };
  EXPECT_GT(said(*taught), 2 * said(*plain));
  EXPECT_EQ(metric(*taught, "held_out_rows"), metric(*plain, "held_out_rows"));
  EXPECT_NEAR(metric(*taught, "roc_auc"), metric(*plain, "roc_auc"), .02);
  EXPECT_LT(metric(*taught, "calibration_error"), metric(*plain, "calibration_error") + .02);
  EXPECT_TRUE(taught->better) << testing::PrintToString(taught->reasons);
  EXPECT_THAT(taught->report, HasSubstr("\"injected_rows\":200,\"injected_weight\":0.1"));
  EXPECT_THAT(taught->report, HasSubstr("does not choose, calibrate or end a fit by them"));
}

TEST(Builtin, SaysHowManyMoreRowsItTakesUntilAModelCanBeJudged) {
  Rows rows = made_up(true, true);
  std::vector<std::uint32_t> some;
  for (std::uint32_t row = 0; row < rows.table.rows(); ++row)
    if (rows.table.labels[row] < .5F || row % 400 < 4) some.push_back(row);
  rows.table = rows.table.chosen(some);
  rows.judged.assign(some.size(), 1);
  rows.rule_features.clear();
  const auto made = train_builtin(rows, options(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->better);
  EXPECT_TRUE(says(*made, "more anomalous rows are needed until a model can be judged"))
      << testing::PrintToString(made->reasons);
}

// Hundreds of rows of twelve abusers say little more than twelve.
TEST(Builtin, SaysHowManyMoreUsersItTakesUntilAModelCanBeJudged) {
  Rows rows = made_up(true, true);
  rows.rule_features.clear();
  for (std::size_t row = 0; row < rows.table.rows(); ++row)
    if (rows.table.labels[row] > .5F) rows.table.groups[row] = 1'000'000 + row % 12;
  const auto made = train_builtin(rows, options(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_TRUE(says(*made, "12 users have anomalous rows")) << testing::PrintToString(made->reasons);
  EXPECT_TRUE(says(*made, "more such users are needed until a model can be judged"));
}

TEST(Builtin, ComparesWithAChampionOnRowsThatItCannotHaveLearnt) {
  models::Model champion;
  champion.metadata.task = models::Task::kClassification;
  for (const std::string& feature : definition().features)
    champion.metadata.features.push_back({feature, ""});
  champion.predictor = models::Linear{{}, {1, 0, 0}, -1.5F, models::Link::kLogistic};
  auto how = options();
  how.champion = *models::Scorer::own(champion);
  how.champion_trained_s = 10 * 60;  // the held-out rows are of minutes 10 to 19
  const auto later = train_builtin(made_up(true, true), how, kNobody);
  ASSERT_TRUE(later);
  EXPECT_TRUE(says(*later, "held-out rows that are later than the champion"))
      << testing::PrintToString(later->reasons);
  how.champion_trained_s = 1e9;
  const auto unclear = train_builtin(made_up(true, true), how, kNobody);
  ASSERT_TRUE(unclear);
  EXPECT_TRUE(says(*unclear, "may have learnt rows that judge here"))
      << testing::PrintToString(unclear->reasons);
}

TEST(Builtin, WhatAnswersIsFittedOnAllRowsAndTheFiguresSaySo) {
  const auto made = train_builtin(made_up(true, true), options(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->report, HasSubstr("fitted once more, as chosen, on all 4000 rows"));
  EXPECT_FALSE(made->batches) << "what is cheap enough answers itself";
  const auto& facts = made->model.metadata.facts;
  EXPECT_NE(
      std::find(facts.begin(), facts.end(), std::pair<std::string, std::string>("rows", "4000")),
      facts.end());
}

TEST(Builtin, TheSameFitsGiveTheSameModel) {
  const auto one = train_builtin(made_up(true, true), options(), kNobody);
  const auto two = train_builtin(made_up(true, true), options(), kNobody);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->model.predictor, two->model.predictor);
  EXPECT_EQ(one->fingerprint, two->fingerprint);
}

TEST(Builtin, EndsWhenItIsCancelled) {
  auto endless = options();
  endless.request.fits_max = 0;
  endless.request.budget_s = 3600;
  const Telling impatient{[] { return true; }, kNobody.tell};
  EXPECT_EQ(train_builtin(made_up(true, true), endless, impatient).error().text, "cancelled");
}

TEST(Builtin, ForetellsLoadBetterThanSayingThatAllStays) {
  std::vector<learn::MinuteTotal> minutes;
  Random random(5);
  for (int i = 0; i < 640; ++i) {
    // A wave of an hour: what comes is what is, turned by a twelfth.
    const double load = 6000 + 3000 * std::sin(i * 6.283 / 60) + 100 * random.normal();
    const double slope = std::cos(i * 6.283 / 60);
    minutes.push_back({i, static_cast<std::uint64_t>(load), 100 + 50 * slope, 2});
  }
  const learn::ModelDefinition load = learn::first_models()[1];
  const auto made = train_builtin(load_rows(load, minutes), options(load), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_TRUE(made->better) << testing::PrintToString(made->reasons);
  EXPECT_LT(metric(*made, "mean_absolute_error"),
            .5 * metric(*made, "champion_mean_absolute_error"));
}

/// Values around a parabola, so far from 0.
Rows parabola(std::uint64_t seed, std::size_t count, double far) {
  Random random(seed);
  Rows rows;
  rows.table.features = {{"x", "", {}}, {"y", "", {}}};
  for (std::size_t i = 0; i < count; ++i) {
    const double x = 10 * random.uniform();
    rows.table.values.push_back(static_cast<float>(x));
    rows.table.values.push_back(static_cast<float>(random.uniform()));
    // By eight, so that what a float rounds at 1e7 is little beside the noise.
    rows.table.labels.push_back(static_cast<float>(far + 8 * (x * x + random.normal())));
  }
  return rows;
}

// What answers is what was judged, and its intervals hold what they say.
TEST(Builtin, FindsValuesFarFromZeroAsWell) {
  const learn::ModelDefinition what{"cost", models::Task::kRegression, {"x", "y"}, "target"};
  auto how = options(what);
  how.request.fits_max = 8;
  std::vector<double> told;
  for (const double far : {0., 1e7}) {
    const auto made = train_builtin(parabola(1, 600, far), how, kNobody);
    ASSERT_TRUE(made) << made.error().text;
    told.push_back(metric(*made, "mean_absolute_error"));
    const auto evaluator = models::Evaluator::create(made->model);
    ASSERT_TRUE(evaluator);
    const auto half = models::half_width(made->model.metadata);
    ASSERT_TRUE(half);
    const learn::Table fresh = parabola(2, 1000, far).table;
    double error = 0, held = 0;
    for (std::size_t i = 0; i < fresh.rows(); ++i) {
      const double off =
          std::abs(evaluator->predict(fresh.row(i)).score - static_cast<double>(fresh.labels[i]));
      error += off / 1000;
      held += off <= *half ? .001 : 0;
    }
    EXPECT_NEAR(error, told.back(), .2 * told.back()) << far;
    EXPECT_NEAR(held, .9, .06) << far;
  }
  EXPECT_NEAR(told[1], told[0], .15 * told[0]);
}

TEST(Builtin, GroupsUsers) {
  std::vector<traffic::FeatureRow> rows;
  Random random(9);
  for (int i = 0; i < 200; ++i) {
    traffic::FeatureRow row{"u" + std::to_string(i), "", SteadyTime{}, {}};
    row.features[traffic::FeatureId::kMessagesPerMinute] =
        static_cast<float>((i % 2 == 0 ? 5 : 50) + random.normal());
    row.features[traffic::FeatureId::kChannelsCount] = i % 2 == 0 ? 1 : 6;
    row.features[traffic::FeatureId::kConnectionDuration] =
        static_cast<float>(100 + random.normal());
    rows.push_back(row);
  }
  const learn::ModelDefinition groups = learn::first_models()[2];
  const auto made = train_builtin(user_rows(groups, rows), options(groups), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(metric(*made, "clusters"), 2);
  EXPECT_TRUE(made->better);
}

}  // namespace
}  // namespace liminal::training
