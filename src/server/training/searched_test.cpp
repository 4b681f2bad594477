#include "server/training/searched.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "core/base/random.hpp"
#include "core/learn/parts.hpp"

namespace liminal::training {
namespace {

using learn::Validation;

/// Rows of users over time; every tenth user's are positive.
learn::Table made_up(std::uint32_t users, std::uint32_t each) {
  learn::Table table;
  table.features = {{"x", "", {}}};
  Random random(5);
  for (std::uint32_t user = 0; user < users; ++user) {
    for (std::uint32_t i = 0; i < each; ++i) {
      table.values.push_back(static_cast<float>(random.normal()));
      table.labels.push_back(user % 10 == 0 ? 1.F : 0.F);
      table.times_s.push_back(i);
      table.groups.push_back(user);
    }
  }
  return table;
}

learn::SearchOptions options() {
  learn::SearchOptions options;
  options.fresh_ratio = 0;
  return options;
}

Validation parted(const learn::Table& all, learn::Loss::Kind kind = learn::Loss::Kind::kLogistic) {
  std::vector<std::uint32_t> every(all.rows());
  std::iota(every.begin(), every.end(), 0U);
  learn::Loss loss;
  loss.kind = kind;
  return learn::parts_of(searched(all, every, loss, options()), loss, options()).validation;
}

TEST(Searched, OfClassesByUsersWhereEnoughHavePositives) {
  EXPECT_EQ(parted(made_up(400, 20)), Validation::kGroups);
  EXPECT_EQ(parted(made_up(60, 100)), Validation::kFolds);
}

TEST(Searched, OfValuesByBoth) {
  EXPECT_EQ(parted(made_up(400, 20), learn::Loss::Kind::kSquared), Validation::kTimeGroups);
  learn::Table standing = made_up(400, 20);
  for (double& time : standing.times_s) time = 7;
  EXPECT_EQ(parted(standing, learn::Loss::Kind::kSquared), Validation::kGroups);
}

TEST(Searched, WhatIsMadeUpOnlyTeachesWhereEnoughOfWhatCameJudges) {
  const learn::Table came = made_up(60, 100);
  learn::Table table = came;
  table.times_s.clear();
  table.groups.clear();
  for (int i = 0; i < 40; ++i) {
    table.values.push_back(5);
    table.labels.push_back(1);
  }
  EXPECT_EQ(only_taught(table, 40, {}, options()), 40U);
  learn::SearchOptions how = options();
  how.rows_only_taught = 40;
  const learn::Parts parts = learn::parts_of(table, {}, how);
  EXPECT_EQ(parts.searched.size(), table.rows());
  for (const learn::TrainValid& split : parts.splits) {
    EXPECT_LT(split.valid.back(), came.rows());
    EXPECT_EQ(split.train[split.train.size() - 40], came.rows());
    EXPECT_EQ(split.train.size() + split.valid.size(), table.rows());
  }
  // A fifth judges, with less than twenty positive rows of its own.
  how = options();
  how.folds_rows_max = 100;
  std::fill(table.labels.begin() + 90, table.labels.end() - 40, 0.F);
  EXPECT_EQ(only_taught(table, 40, {}, how), 0U);
}

TEST(Searched, HoweverRowsArePartedWhatOnlyTeachesIsTrainedOnAlone) {
  for (const bool times : {false, true}) {
    for (const bool users : {false, true}) {
      learn::Table table = made_up(400, 20);
      if (!times) table.times_s.clear();
      if (!users) table.groups.clear();
      learn::SearchOptions how = options();
      how.rows_only_taught = 500;  // the last 25 users
      how.fresh_ratio = .2;
      const learn::Parts parts = learn::parts_of(table, {}, how);
      const auto came = [](std::uint32_t row) { return row < 7500; };
      EXPECT_FALSE(parts.fresh.empty());
      EXPECT_TRUE(std::all_of(parts.fresh.begin(), parts.fresh.end(), came));
      EXPECT_EQ(parts.fresh.size() + parts.searched.size(), table.rows());
      for (const learn::TrainValid& split : parts.splits) {
        EXPECT_TRUE(std::all_of(split.valid.begin(), split.valid.end(), came));
        EXPECT_EQ(std::count_if(split.train.begin(), split.train.end(), came),
                  static_cast<std::ptrdiff_t>(split.train.size()) - 500);
      }
    }
  }
}

TEST(Searched, WithoutSomeFeaturesTheOthersStay) {
  learn::Table table = made_up(2, 2);
  table.features.push_back({"y", "", {}});
  table.values = {1, 2, 3, 4, 5, 6, 7, 8};
  const learn::Table less = without(table, {"x"});
  EXPECT_EQ(less.features.front().name, "y");
  EXPECT_EQ(less.values, (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(less.labels, table.labels);
}

}  // namespace
}  // namespace liminal::training
