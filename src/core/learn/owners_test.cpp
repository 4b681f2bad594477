#include "core/learn/owners.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

using ::testing::ElementsAre;

TEST(Owners, AreUsersOrRowsWhereTheseAreNotKnown) {
  const std::vector<std::uint64_t> users{70, 3, 70, 9};
  const Owners by_user(users, 4);
  EXPECT_EQ(by_user.count, 3U);
  EXPECT_THAT(by_user.of, ElementsAre(2, 0, 2, 1));
  EXPECT_THAT(by_user.sums(std::vector<double>{1, 2, 3, 4}), ElementsAre(2, 4, 4));
  EXPECT_THAT(Owners({}, 3).of, ElementsAre(0, 1, 2));
  EXPECT_EQ(Owners({}, 0).count, 0U);
}

TEST(Owners, WidenTailsTheMoreTheFewerTheyAre) {
  const std::vector<std::uint64_t> users{1, 2};
  const Owners known(users, 2);
  EXPECT_EQ(Owners({}, 2).widening(.05, 5), 1);
  EXPECT_NEAR(known.widening(.05, 12), 1.796 / 1.645, .01);
  EXPECT_GT(known.widening(.05, 6), known.widening(.05, 12));
  EXPECT_TRUE(std::isinf(known.widening(.05, 3.9)));
}

TEST(Owners, AreAsManyAlikeAsTheyAreEven) {
  EXPECT_EQ(alike(std::vector<double>{2, 2, 2}), 3);
  EXPECT_NEAR(alike(std::vector<double>{100, 1, 1}), 1.04, .01);
  EXPECT_EQ(alike(std::vector<double>{0, 0}), 0);
}

// 2,000 draws each, of which four in five should do: .8, deviation .009; whole users are up to .1
// more.
TEST(Users, ThatAreToJudgeInFourCasesOfFiveDo) {
  Random random(5);
  for (const double share : {.15, 1. / 3, .6}) {
    for (const double judging : {1., 3.4, 7., 20.}) {
      const double needed = users_to_draw(judging, share);
      int enough = 0;
      for (int trial = 0; trial < 2000; ++trial) {
        int judge = 0;
        for (int user = 0; user < static_cast<int>(needed); ++user) judge += random.chance(share);
        enough += judge >= judging;
      }
      EXPECT_GE(enough, 2000 * .75) << judging << " of " << share;
      EXPECT_LE(enough, 2000 * .93) << judging << " of " << share;
    }
  }
  EXPECT_EQ(users_to_draw(0, .3), 0);
}

}  // namespace
}  // namespace liminal::learn
