#include "core/learn/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Two features of users who differ from each other, a row a user and ten seconds.
Table of_users(std::uint64_t seed, int users, int rows_each, double shift = 0) {
  Random random(seed);
  Table table;
  table.features = {{"own", "", {}}, {"common", "", {}}};
  for (int user = 0; user < users; ++user) {
    const double own = random.normal();
    for (int i = 0; i < rows_each; ++i) {
      table.values.push_back(static_cast<float>(own + .1 * random.normal() + shift));
      table.values.push_back(static_cast<float>(random.normal()));
      table.labels.push_back(static_cast<float>(i % 2));
      table.times_s.push_back(1e9 + 40 * user + 10 * i);
      table.groups.push_back(static_cast<std::uint64_t>(user));
    }
  }
  return table;
}

Watch watch_of(const Table& table) {
  std::vector<float> said;
  for (std::size_t i = 0; i < table.rows(); ++i) said.push_back(table.row(i)[0]);
  return Watch(reference_of(table, table, said, {}, {}));
}

void observe(Watch& watch, const Table& table) {
  for (const std::uint32_t row : one_a_minute(table)) {
    const auto values = table.row(row);
    watch.observe(values, double{values[0]});
  }
}

TEST(OneAMinute, TakesTheFirstRowOfAUserInEachMinute) {
  Table table;
  table.features = {{"x", "", {}}};
  table.values = {1, 2, 3, 4, 5};
  EXPECT_THAT(one_a_minute(table), ElementsAre(0U, 1U, 2U, 3U, 4U));
  table.times_s = {0, 10, 59.9, 60, 10};
  table.groups = {1, 1, 1, 1, 2};
  EXPECT_THAT(one_a_minute(table), ElementsAre(0U, 3U, 4U));
}

TEST(Watch, KnowsThatRowsOfAUserAreAlike) {
  const Table table = of_users(1, 100, 60);
  const Watch watch = watch_of(table);
  // Ten or eleven minutes of each user, nearly the same value every time.
  EXPECT_GT(watch.features()[0].drift.reference().dependence(), 7);
  EXPECT_LT(watch.features()[1].drift.reference().dependence(), 3);
}

TEST(Watch, IsCalmWithOtherUsersOfTheSameKind) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    Watch watch = watch_of(of_users(seed, 300, 60));
    observe(watch, of_users(100 + seed, 1000, 60));
    EXPECT_THAT(watch.drifted(), IsEmpty()) << seed << " " << watch.drift();
  }
}

TEST(Watch, TellsWhatDrifted) {
  Watch watch = watch_of(of_users(1, 300, 60));
  observe(watch, of_users(2, 300, 60, 1.));
  EXPECT_THAT(watch.drifted(), ElementsAre("own", "the score"));
  EXPECT_GT(watch.drift(), 1);
  EXPECT_GT(watch.rows(), 1000);
  watch.calm();
  EXPECT_THAT(watch.drifted(), IsEmpty());
  EXPECT_EQ(watch.rows(), 0);
}

TEST(Watch, SurvivesASnapshotAndRefusesNonsense) {
  Watch watch = watch_of(of_users(1, 300, 60));
  observe(watch, of_users(2, 100, 60, .5));
  watch.observe_error(.5);
  Writer out;
  watch.save(out);
  Watch read{WatchReference{}};
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  const std::array<float, 2> row{3, 3};
  watch.observe(row, 3);
  read.observe(row, 3);
  EXPECT_EQ(read.drift(), watch.drift());
  EXPECT_EQ(read.rows(), watch.rows());
  for (std::size_t cut = 0; cut < out.bytes().size(); cut += 13) {
    Reader part(std::string_view(out.bytes()).substr(0, cut));
    read.load(part);
    EXPECT_FALSE(part.ok());
    EXPECT_THAT(read.features(), IsEmpty());
  }
}

TEST(WatchReference, SurvivesASnapshot) {
  const Table table = of_users(1, 40, 60);
  const std::vector<float> said(table.rows(), .5F);
  const std::vector<double> errors{.1, .2, .3};
  const std::vector<std::uint32_t> erred{5, 900, 2000};
  const WatchReference reference = reference_of(table, table, said, errors, erred);
  EXPECT_NEAR(reference.errors.mean, .2, 1e-12);
  Writer out;
  reference.save(out);
  WatchReference read;
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  Writer again;
  read.save(again);
  EXPECT_EQ(again.bytes(), out.bytes());
}

TEST(WatchReference, SurvivesASnapshotWithoutAScore) {
  WatchReference reference;
  reference.features.push_back({"x", Reference::learn(std::vector<float>{1, 2, 3})});
  Writer out;
  reference.save(out);
  WatchReference read;
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(read.features.size(), 1U);
  EXPECT_EQ(read.score.bins(), 0U);
}

TEST(ErrorOf, IsSquaredForClassesAndAbsoluteForValues) {
  EXPECT_DOUBLE_EQ(error_of(models::Task::kClassification, .25, 1), .5625);
  EXPECT_DOUBLE_EQ(error_of(models::Task::kRegression, 3, 5), 2);
}

}  // namespace
}  // namespace liminal::learn
