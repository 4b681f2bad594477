#include "server/training/held_out.hpp"

#include <gmock/gmock.h>

#include <set>

#include "server/training/test_rows.hpp"

namespace liminal::training {
namespace {

using testing::HasSubstr;

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

TEST(HeldOut, WhatPartsThemHoldsOfAllRowsAlike) {
  learn::Table table = made_up(false, true).table;
  const auto expect_parted = [&](const HeldOut& parts) {
    ASSERT_TRUE(parts.parting) << parts.how;
    std::vector<std::uint32_t> train;
    const auto learnt = learnt_from(*parts.parting, table);
    for (std::uint32_t i = 0; i < learnt.size(); ++i)
      if (learnt[i] != 0) train.push_back(i);
    EXPECT_EQ(train, parts.train) << parts.how;
  };
  expect_parted(hold_out_classes(table, 1));
  expect_parted(hold_out_values(table, 90, 1));
  const auto groups = std::exchange(table.groups, {});
  expect_parted(hold_out_values(table, 90, 1));
  table.times_s.clear();
  expect_parted(hold_out_classes(table, 1));
  table.groups = groups;
  expect_parted(hold_out_classes(table, 1));
}

TEST(HeldOut, SaysWhatItCouldNotPart) {
  learn::Table table = made_up(false, true).table;
  table.times_s.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("other users"));
  table.groups.clear();
  EXPECT_THAT(hold_out_classes(table, 1).how, HasSubstr("by chance"));
}

}  // namespace
}  // namespace liminal::training
