#include "core/learn/grouped_arms.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

TEST(GroupedArms, OfRowsOfManyUsersErrLikeAnyMeans) {
  Random random(1);
  GroupedArms arms;
  for (int row = 0; row < 4000; ++row) {
    arms.add(Arm::kChampion, random.bits(), random.normal());
    arms.add(Arm::kChallenger, random.bits(), 1 + 2 * random.normal());
  }
  const GroupedArms::Growth found = arms.growth(false);
  EXPECT_NEAR(found.mean, 1, .12);
  EXPECT_NEAR(found.variance, 5. / 4000, .2 * 5 / 4000);
  EXPECT_GT(found.groups, 950);
}

TEST(GroupedArms, OfRowsOfFewUsersErrAsThoseDo) {
  // Forty users of a hundred rows each, all of one user the same.
  double means = 0, told = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    Random random(static_cast<std::uint64_t>(run) + 1);
    GroupedArms arms;
    for (std::uint64_t user = 0; user < 80; ++user) {
      const double value = random.normal();
      for (int row = 0; row < 100; ++row)
        arms.add(user % 2 == 0 ? Arm::kChampion : Arm::kChallenger, user, value);
    }
    const GroupedArms::Growth found = arms.growth(false);
    means += found.mean * found.mean / kRuns;
    told += found.variance / kRuns;
  }
  EXPECT_NEAR(told / means, 1, .2);
}

TEST(GroupedArms, WhatBothHaveInCommonDropsOutWhenRowsAreTheSame) {
  Random random(2);
  GroupedArms arms;
  for (std::uint64_t user = 0; user < 500; ++user) {
    const double value = 10 * random.normal();
    arms.add(Arm::kChampion, user, value);
    arms.add(Arm::kChallenger, user, value + .1 * random.normal());
  }
  EXPECT_LT(arms.growth(true).variance, .1 * arms.growth(false).variance);
}

TEST(GroupedArms, WhereAllSayTheSameOneMoreGroupCouldDiffer) {
  GroupedArms arms;
  for (std::uint64_t user = 0; user < 100; ++user) {
    arms.add(Arm::kChampion, user, 0);
    arms.add(Arm::kChallenger, user, 1);
  }
  const GroupedArms::Growth found = arms.growth(false);
  EXPECT_EQ(found.mean, 1);
  EXPECT_GT(std::sqrt(found.variance), .01);
  EXPECT_LT(std::sqrt(found.variance), .03);
}

TEST(GroupedArms, SurviveASnapshotAndRefuseNonsense) {
  Random random(3);
  GroupedArms arms;
  for (int row = 0; row < 100; ++row)
    arms.add(random.chance(.5) ? Arm::kChampion : Arm::kChallenger, random.bits(), random.normal());
  Writer out;
  arms.save(out);
  GroupedArms read;
  Reader in(out.bytes());
  read.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(read.rows(Arm::kChampion), arms.rows(Arm::kChampion));
  EXPECT_NEAR(read.growth(true).variance, arms.growth(true).variance, 1e-12);
  for (const std::size_t kept : {std::size_t{3}, out.bytes().size() - 1}) {
    Reader cut(std::string_view(out.bytes()).substr(0, kept));
    GroupedArms none;
    none.load(cut);
    EXPECT_FALSE(cut.ok());
    EXPECT_EQ(none.rows(Arm::kChampion), 0);
  }
}

}  // namespace
}  // namespace liminal::learn
