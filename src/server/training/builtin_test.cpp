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

TEST(HeldOut, SaysWhatItCouldNotPart) {
  learn::Table table = made_up(false, true).table;
  table.times_s.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("other users"));
  table.groups.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("by chance"));
}

TEST(Builtin, TrainsAModelThatBeatsChance) {
  const auto made = train_builtin(made_up(true, true), options(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
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
  again.request.seed = 2;
  const auto second = train_builtin(made_up(true, true), again, kNobody);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->better);
  EXPECT_TRUE(says(*second, "not shown to be better")) << testing::PrintToString(second->reasons);
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
