#include "server/training/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::training {
namespace {

using ::testing::HasSubstr;

/// Users with ten rows each, of whom the first ones are positive.
learn::Table of_users(std::uint64_t users, std::uint64_t positive) {
  learn::Table table;
  table.features = {{"rate", "", {}}};
  for (std::uint64_t user = 0; user < users; ++user) {
    for (int row = 0; row < 10; ++row) {
      table.values.push_back(0);
      table.groups.push_back(user);
      table.labels.push_back(user < positive ? 1.F : 0.F);
    }
  }
  return table;
}

TEST(UsersToJudge, AreToldWhereRowsAreManyAndAbusersFew) {
  const auto words = users_to_judge(kUsersMinFirst, of_users(200, 12), of_users(70, 4));
  ASSERT_TRUE(words);
  EXPECT_THAT(*words, HasSubstr("12 users have anomalous rows, and 4 of them judge"));
  // Of twelve more four judge on average, and the three that are lacking in four cases of five.
  EXPECT_THAT(*words, HasSubstr("some 12 more such users are needed"));
}

TEST(UsersToJudge, AreNotToldWhereThereAreEnoughOrNoneAreKnown) {
  EXPECT_FALSE(users_to_judge(kUsersMinFirst, of_users(200, 24), of_users(70, 7)));
  EXPECT_FALSE(users_to_judge(kUsersMin, of_users(200, 12), of_users(70, 4)));
  learn::Table unknown = of_users(200, 12);
  unknown.groups.clear();
  EXPECT_FALSE(users_to_judge(kUsersMinFirst, unknown, unknown));
}

TEST(UsersToJudge, AreToldWhereNobodyJudgesYet) {
  EXPECT_TRUE(users_to_judge(kUsersMin, of_users(40, 2), of_users(10, 0)));
}

}  // namespace
}  // namespace liminal::training
