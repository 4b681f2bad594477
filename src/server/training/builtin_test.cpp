#include "server/training/builtin.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/random.hpp"

namespace liminal::training {
namespace {

using testing::HasSubstr;

const Telling kNobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};

learn::ModelDefinition definition() {
  return {"abuse", models::Task::kClassification, {"rate", "size", "noise"}, "y"};
}

/// Users with rows over time; a tenth of them misbehave by a high rate, and by small messages too
/// when `two_ways`.
Rows made_up(bool two_ways, bool judged) {
  Random random(3);
  Rows rows;
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  for (std::uint64_t user = 0; user < 200; ++user) {
    const bool bad = user % 10 == 0;
    for (int i = 0; i < 20; ++i) {
      const double rate = random.normal() + (bad ? 3 : 0);
      const double size = random.normal() - (bad && two_ways ? 2 : 0);
      for (const double value : {rate, size, random.normal()})
        rows.table.values.push_back(static_cast<float>(value));
      rows.table.labels.push_back(bad ? 1 : 0);
      rows.table.weights.push_back(judged ? 1 : kWeakWeight);
      rows.table.times_s.push_back(i * 60);
      rows.table.groups.push_back(user);
      rows.judged.push_back(judged ? 1 : 0);
    }
  }
  rows.rule_features = {"rate"};
  return rows;
}

BuiltinOptions options(learn::ModelDefinition what = definition()) {
  BuiltinOptions made;
  made.definition = std::move(what);
  made.request.model = made.definition.name;
  made.request.fits_max = 12;
  made.request.source = learn::DataSource::kFile;
  made.gate.latency_us_max = 1e6;  // how fast it is, is a matter of benchmarks
  return made;
}

bool says(const learn::TrainedModel& made, const std::string& words) {
  for (const std::string& reason : made.reasons)
    if (reason.find(words) != std::string::npos) return true;
  return false;
}

double metric(const learn::TrainedModel& made, const std::string& name) {
  for (const auto& [key, value] : made.metrics)
    if (key == name) return value;
  return NAN;
}

TEST(HeldOut, RowsAreLaterAndOfOtherUsers) {
  const learn::Table table = made_up(false, true).table;
  const HeldOut parts = hold_out_classes(table, 1);
  EXPECT_EQ(parts.how, "later rows of other users");
  std::set<std::uint64_t> learnt_from;
  double latest = 0;
  for (const std::uint32_t row : parts.train) {
    learnt_from.insert(table.groups[row]);
    latest = std::max(latest, table.times_s[row]);
  }
  for (const std::uint32_t row : parts.test) {
    EXPECT_FALSE(learnt_from.contains(table.groups[row]));
    EXPECT_GT(table.times_s[row], latest);
  }
}

TEST(HeldOut, TheSameUsersJudgeInEveryTraining) {
  const learn::Table all = made_up(false, true).table;
  const HeldOut parts = hold_out_classes(all, 1);
  std::set<std::uint64_t> judge;
  for (const std::uint32_t row : parts.test) judge.insert(all.groups[row]);
  std::vector<std::uint32_t> most;
  for (std::uint32_t row = 0; row < all.rows(); ++row)
    if (all.groups[row] < 190) most.push_back(row);
  const learn::Table fewer = all.chosen(most);
  for (const std::uint32_t row : hold_out_classes(fewer, 2).train)
    EXPECT_FALSE(judge.contains(fewer.groups[row]));
  models::Metadata judged;
  remember(parts, judged);
  const learn::Table test = all.chosen(parts.test);
  EXPECT_EQ(unseen_by(judged, test).size(), test.rows());
  EXPECT_TRUE(unseen_by({}, test).empty()) << "of which nothing is said may know all";
}

TEST(HeldOut, WithoutUsersAndTimesTheSameRowsJudge) {
  learn::Table all = made_up(false, true).table;
  all.times_s.clear();
  all.groups.clear();
  const HeldOut parts = hold_out_classes(all, 1);
  EXPECT_EQ(hold_out_classes(all, 2).test, parts.test);
  models::Metadata judged;
  remember(parts, judged);
  EXPECT_EQ(unseen_by(judged, all), parts.test);
}

TEST(HeldOut, ValuesOfUsersArePartedByUser) {
  learn::Table table;
  table.features = {{"x", "", {}}};
  Random random(4);
  for (std::uint32_t i = 0; i < 800; ++i) {
    table.values.push_back(static_cast<float>(random.normal()));
    table.labels.push_back(table.values.back());
    table.groups.push_back(i % 40);
  }
  const HeldOut alone = hold_out_values(table, 0, 1);
  EXPECT_EQ(alone.how, "other users");
  std::set<std::uint64_t> learnt_from;
  for (const std::uint32_t row : alone.train) learnt_from.insert(table.groups[row]);
  for (const std::uint32_t row : alone.test) EXPECT_FALSE(learnt_from.contains(table.groups[row]));
  for (std::uint32_t i = 0; i < 800; ++i) table.times_s.push_back(i);
  const HeldOut both = hold_out_values(table, 5, 1);
  EXPECT_EQ(both.how, "the last quarter of the time, of other users");
  for (const std::uint32_t row : both.test) EXPECT_GE(row, 600U);
  for (const std::uint32_t row : both.train) EXPECT_LT(row, 595U);
  EXPECT_EQ(both.until_s, 599.);
}

TEST(HeldOut, SaysWhatItCouldNotPart) {
  learn::Table table = made_up(false, true).table;
  table.times_s.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("other users"));
  table.groups.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("by chance"));
}

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
  EXPECT_TRUE(says(*second, "line 2.13"));  // of .05/3
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
  for (std::uint64_t user = 0; user < 600; ++user) {
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

TEST(Builtin, WhatIsTooDearForMessagesIsShownBeside) {
  const Rows rows = made_up(true, true);
  const HeldOut held_out;
  RunReport report;
  report.rows = &rows;
  report.held_out = &held_out;
  report.figures = learn::kNoFigures;
  const learn::TrainRequest request;
  EXPECT_THAT(report_json(request, report, {}), testing::Not(HasSubstr("best_for_batches")));
  report.best_for_batches = learn::kNoFigures;
  report.best_for_batches->roc_auc = .5;
  report.best_cost = {40.5, 496};
  const std::string text = report_json(request, report, {});
  EXPECT_THAT(text, HasSubstr("\"best_for_batches\":{\"held_out\":{\"roc_auc\":0.5}"));
  EXPECT_THAT(text, HasSubstr("\"us_a_row\":40.5"));
}

const learn::ModelDefinition kValues{"v", models::Task::kRegression, {"a", "b"}, "y"};

/// Values of which a model of some kilobytes knows a little less than a blend.
Rows values_made_up() {
  Rows rows;
  rows.table.features = {{"a", "", {}}, {"b", "", {}}};
  Random random(17);
  for (int i = 0; i < 800; ++i) {
    const double a = random.normal(), b = random.normal();
    rows.table.values.push_back(static_cast<float>(a));
    rows.table.values.push_back(static_cast<float>(b));
    rows.table.labels.push_back(static_cast<float>(a + a * b + .2 * random.normal()));
    rows.table.times_s.push_back(i);
  }
  return rows;
}

/// What trains with so little room that a blend does not answer.
BuiltinOptions limited_values() {
  BuiltinOptions limited = options(kValues);
  limited.gate.memory_bytes_max = 8e3;
  return limited;
}

TEST(Builtin, TheBestBlendIsKeptForBatchesWhereItIsTooDearToAnswer) {
  const auto made = train_builtin(values_made_up(), limited_values(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_TRUE(made->batches) << testing::PrintToString(made->reasons);
  const auto answers = models::Evaluator::create(made->model);
  const auto blend = models::Evaluator::create(made->batches->model);
  ASSERT_TRUE(answers && blend);
  EXPECT_GT(blend->memory_bytes(), answers->memory_bytes());
  EXPECT_GT(made->batches->us_row, 0);
  const models::Metadata& metadata = made->batches->model.metadata;
  EXPECT_EQ(metadata.features, made->model.metadata.features);
  EXPECT_EQ(metadata.facts.back().first, "fitted");
  EXPECT_THAT(made->leaderboard.front().recipe, HasSubstr("for batches"));
  EXPECT_GT(made->leaderboard.front().memory_bytes, metric(*made, "memory_bytes"));
  EXPECT_GT(made->leaderboard[1].us_row, 0);
  EXPECT_THAT(made->report, HasSubstr("\"fitted_again_on_all_rows\":true"));
  EXPECT_THAT(made->reasons.back(), HasSubstr("for batches the best blend is kept beside: MAE"));
}

TEST(Builtin, ABlendThatCannotBeFittedAgainCostsNothingElse) {
  BuiltinOptions limited = limited_values();
  int again = 0;
  limited.fitting = [&again, here = fitting_here()](const FitSource& source) -> MakeFitter {
    if (!source.all || ++again == 1) return here(source);
    return [] {
      return learn::Fitter([](const learn::Material&, const auto&, double, const auto&) {
        return Result<learn::Fit>(failure(ErrorCode::kUnavailable));
      });
    };
  };
  const auto made = train_builtin(values_made_up(), limited, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(again, 2);
  EXPECT_FALSE(made->batches);
  EXPECT_TRUE(says(*made, "no blend is kept for batches: the chosen model could not be fitted"));
  EXPECT_TRUE(models::Evaluator::create(made->model));
}

TEST(Builtin, ABlendThatIsNotBetterIsNotKept) {
  Rows rows = made_up(true, true);
  // The rows that judge are all alike, so that every model is as good as another.
  for (const std::uint32_t row : hold_out_classes(rows.table, 1).test)
    std::fill_n(&rows.table.values[std::size_t{3} * row], 3, 0.F);
  BuiltinOptions limited = options();
  limited.gate.memory_bytes_max = 200 * 1024;
  const auto made = train_builtin(rows, limited, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->batches);
  EXPECT_TRUE(says(*made, "no blend is kept for batches: the best one is not better"))
      << testing::PrintToString(made->reasons);
  EXPECT_EQ(made->report.find("best_for_batches"), std::string::npos);
}

TEST(Builtin, TheTimeOfABlendIsThatOfItsOwnMembers) {
  std::vector<learn::LeaderboardLine> lines(3);
  lines[0].weight = .7;
  lines[0].fits = 5;
  lines[0].cost_s = 100;
  lines[1].weight = .3;
  lines[1].fits = 2;
  lines[1].cost_s = .1;
  lines[2].fits = 1;
  lines[2].cost_s = 60;
  EXPECT_DOUBLE_EQ(seconds_of_blend(lines), 20.05);
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
  for (int i = 0; i < 600; ++i) {
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
