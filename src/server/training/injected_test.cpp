#include "server/training/injected.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "core/models/model.hpp"

namespace liminal::training {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

float largest(const learn::Table& table, std::size_t feature) {
  float most = 0;
  for (std::size_t i = 0; i < table.rows(); ++i) most = std::max(most, table.row(i)[feature]);
  return most;
}

TEST(Injected, AbuseShowsInTheFeaturesThatAreAskedFor) {
  const learn::ModelDefinition definition = learn::first_models()[0];
  const learn::Table table = injected_rows(definition, 1);
  ASSERT_EQ(table.features.size(), 4U);
  EXPECT_GT(table.rows(), 60U);
  EXPECT_LE(table.rows(), std::size_t{5 * 6 * 8}) << "five kinds, six abusers, eight rows";
  EXPECT_THAT(table.labels, Each(1.F));
  EXPECT_THAT(table.weights, Each(kInjectedWeight));
  EXPECT_GT(std::set<std::uint64_t>(table.groups.begin(), table.groups.end()).size(), 15U);
  EXPECT_GT(largest(table, 0), 60) << "messages a minute";
  EXPECT_GT(largest(table, 1), 1000) << "bytes a message";
  EXPECT_GT(largest(table, 2), .3) << "share of errors";
  EXPECT_TRUE(table.validate(true, false).empty());
}

TEST(Injected, TheSameSeedTeachesTheSame) {
  learn::ModelDefinition definition = learn::first_models()[0];
  definition.features = {"error_rate"};
  const std::vector<float> once = injected_rows(definition, 2).values;
  EXPECT_FALSE(once.empty());
  EXPECT_EQ(injected_rows(definition, 2).values, once);
  EXPECT_NE(injected_rows(definition, 3).values, once);
}

TEST(Injected, WhatShowsInNoFeatureIsNotTaught) {
  learn::ModelDefinition definition = learn::first_models()[0];
  definition.features = {"distinct_addresses"};
  EXPECT_EQ(injected_rows(definition, 1).rows(), 0U);
}

TEST(Injected, WhatATableDoesNotTellOfItsOwnItTellsOfNone) {
  learn::Table to, rows;
  to.features = rows.features = {{"a", "", {}}};
  to.values = {1};
  to.labels = {0};
  to.weights = {.3F};
  rows.values = {2};
  rows.labels = {1};
  rows.weights = {.1F};
  rows.groups = {7};
  append(to, rows);
  EXPECT_THAT(to.values, ElementsAre(1, 2));
  EXPECT_THAT(to.labels, ElementsAre(0, 1));
  EXPECT_THAT(to.weights, ElementsAre(.3F, .1F));
  EXPECT_TRUE(to.groups.empty());
}

}  // namespace
}  // namespace liminal::training
