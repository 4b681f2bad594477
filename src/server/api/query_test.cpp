#include "server/api/query.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::api {
namespace {

using ::testing::ElementsAre;

std::optional<int> one(std::string_view name) {
  return name == "one" ? std::optional(1) : std::nullopt;
}

TEST(Query, ReadsWhatIsRightAndFillsInTheRest) {
  const Query::Pairs pairs{
      {"limit", "5"}, {"user_id", "ann"}, {"age", "1.5"}, {"verbose", ""}, {"word", "one"}};
  Query query(pairs);
  EXPECT_EQ(query.whole("limit", 100, 1, 10), 5U);
  EXPECT_EQ(query.whole("other", 100, 1, 10), 100U);
  EXPECT_EQ(query.text("user_id", 1, 9), "ann");
  EXPECT_EQ(query.number("age", 24, 0, 100), 1.5);
  EXPECT_FALSE(query.time("since"));
  EXPECT_TRUE(query.flag("verbose"));
  EXPECT_FALSE(query.flag("quiet"));
  EXPECT_EQ(query.one_of("word", 0, one, "one"), 1);
  EXPECT_TRUE(query.finish().empty());
}

TEST(Query, CollectsEverythingThatIsWrong) {
  const Query::Pairs pairs{{"limit", "0"},
                           {"more", "5x"},
                           {"user_id", ""},
                           {"age", "nan"},
                           {"verbose", "maybe"},
                           {"word", "two"},
                           {"twice", "1"},
                           {"twice", "1"},
                           {"odd", ""}};
  Query query(pairs);
  EXPECT_EQ(query.whole("limit", 7, 1, 10), 7U);
  EXPECT_EQ(query.whole("more", 7, 1, 10), 7U);
  EXPECT_FALSE(query.text("user_id", 1, 9));
  EXPECT_EQ(query.number("age", 24, 0, 100), 24);
  static_cast<void>(query.flag("verbose"));
  EXPECT_EQ(query.one_of("word", 0, one, "one"), 0);
  static_cast<void>(query.whole("twice", 7, 1, 10));
  EXPECT_THAT(query.finish(),
              ElementsAre(Problem{"twice", "given twice"},
                          Problem{"limit", "must be a whole number from 1 to 10"},
                          Problem{"more", "must be a whole number from 1 to 10"},
                          Problem{"user_id", "must be text of 1 to 9 bytes"},
                          Problem{"age", "must be a number from 0 to 100"},
                          Problem{"verbose", "must be empty, 1, true, 0 or false"},
                          Problem{"word", "must be one"},
                          Problem{"odd", "unknown parameter"}));
}

}  // namespace
}  // namespace liminal::api
