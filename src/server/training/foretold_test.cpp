#include "server/training/foretold.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace liminal::training {
namespace {

using traffic::FeatureId;

std::shared_ptr<const models::Scorer> scorer_of(
    const learn::ModelDefinition& definition,
    models::Predictor predictor,
    std::vector<std::pair<std::string, std::string>> facts) {
  models::Model model;
  model.metadata.task = definition.task;
  for (const std::string& feature : definition.features)
    model.metadata.features.push_back({feature, ""});
  model.metadata.facts = std::move(facts);
  model.predictor = std::move(predictor);
  return *models::Scorer::own(std::move(model));
}

TEST(GroupOf, IsThatOfTheNearestCentroidInWords) {
  const learn::ModelDefinition groups = learn::first_models()[2];
  const auto scorer = scorer_of(groups,
                                models::KMeans{{}, 2, {0, 0, 0, 10, 5, 100}},
                                {{"cluster.0", "calm"}, {"cluster.1", "in many channels"}});
  traffic::Features features;
  features[FeatureId::kMessagesPerMinute] = 10;
  features[FeatureId::kChannelsCount] = 5;
  features[FeatureId::kConnectionDuration] = 97;
  const auto group = group_of(groups, *scorer, 7, features);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->cluster, 1U);
  EXPECT_EQ(group->description, "in many channels");
  EXPECT_NEAR(group->distance, 3, 1e-6);
  EXPECT_EQ(group->version, 7U);
  EXPECT_FALSE(group_of(learn::first_models()[1], *scorer, 7, features)) << "minutes are no users";
}

TEST(LoadAfter, IsFiveMinutesLaterAndNeverBelowNothing) {
  const learn::ModelDefinition load = learn::first_models()[1];
  const auto scorer = scorer_of(load,
                                models::Linear{{}, {.01F, 0, 0}, 0, models::Link::kIdentity},
                                {{"half_width.0.9", "4"}});
  const auto forecast = load_after(load, *scorer, 7, {100, 300, 20., 2.});
  ASSERT_TRUE(forecast);
  EXPECT_NEAR(forecast->messages_per_second, 3, 1e-6);
  EXPECT_EQ(forecast->version, 7U);
  EXPECT_EQ(forecast->low, 0.);
  EXPECT_NEAR(forecast->high.value_or(0), 7, 1e-6);
  EXPECT_EQ(forecast->time, SteadyTime{std::chrono::minutes{105}});
  const auto plain =
      scorer_of(load, models::Linear{{}, {-1, 0, 0}, 0, models::Link::kIdentity}, {});
  const auto calm = load_after(load, *plain, 8, {100, 300, 20., 2.});
  ASSERT_TRUE(calm);
  EXPECT_EQ(calm->messages_per_second, 0);
  EXPECT_FALSE(calm->low || calm->high);
}

}  // namespace
}  // namespace liminal::training
