#include "server/training/csv_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <sstream>
#include <vector>

namespace liminal::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

tl::expected<CsvTable, std::string> read(const std::string& text, CsvChoice choice) {
  std::istringstream in(text);
  return read_csv_table(in, "f.csv", choice);
}

TEST(CsvTable, ReadsNumbersCategoriesAndClasses) {
  const auto table = read("a,kind,y\n1,x,no\n,y,yes\n3,,yes\n", {.target = "y"});
  ASSERT_TRUE(table) << table.error();
  ASSERT_EQ(table->table.features.size(), 2U);
  EXPECT_FALSE(table->table.features[0].category());
  EXPECT_THAT(table->table.features[1].levels, ElementsAre("x", "y"));
  EXPECT_TRUE(table->classes);
  EXPECT_EQ(table->positive, "yes");
  EXPECT_THAT(table->table.labels, ElementsAre(0, 1, 1));
  EXPECT_EQ(table->table.row(0)[0], 1);
  EXPECT_TRUE(std::isnan(table->table.row(1)[0]));
  EXPECT_EQ(table->table.row(1)[1], 1);
  EXPECT_TRUE(std::isnan(table->table.row(2)[1]));
}

TEST(CsvTable, TakesTheLargerNumberAsPositive) {
  const auto table = read("a,y\n1,10\n2,9\n", {.target = "2"});
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(table->positive, "10");
  EXPECT_THAT(table->table.labels, ElementsAre(1, 0));
}

TEST(CsvTable, ReadsValuesTimesGroupsAndWeights) {
  const auto table = read(
      "t,user,w,junk,a,y\n2026-01-01T00:00:00Z,u,1,q,5,1.5\n2026-01-01T00:00:10Z,v,2,q,6,\n"
      "2026-01-01T00:01:00Z,u,2,q,7,3\n2026-01-01T00:01:00Z,u,2,q,8,4\n",
      {.target = "y", .time = "t", .group = "user", .weight = "w", .ignored = {"junk"}});
  ASSERT_TRUE(table) << table.error();
  EXPECT_FALSE(table->classes);
  EXPECT_THAT(table->table.labels, ElementsAre(1.5, 3, 4));
  EXPECT_THAT(table->table.weights, ElementsAre(1, 2, 2));
  EXPECT_EQ(table->table.times_s[1] - table->table.times_s[0], 60);
  EXPECT_EQ(table->table.groups[0], table->table.groups[1]);
  EXPECT_THAT(table->notes, ElementsAre("1 rows without y are left out"));
}

TEST(CsvTable, TakesARowWithoutUserForOneOfItsOwn) {
  const auto table =
      read("user,a,y\nu,1,0\n,2,1\n,3,0\nu,4,1\nNA,5,1\n", {.target = "y", .group = "user"});
  ASSERT_TRUE(table) << table.error();
  const std::vector<std::uint64_t>& groups = table->table.groups;
  ASSERT_EQ(groups.size(), 5U);
  EXPECT_EQ(groups[0], groups[3]);
  EXPECT_EQ(std::set<std::uint64_t>(groups.begin(), groups.end()).size(), 4U);
  EXPECT_THAT(table->notes,
              ElementsAre("3 rows without user: each is taken for one of a user of its own"));
}

TEST(CsvTable, LeavesOutWhatCannotBeLearntFrom) {
  std::string text = "id,none,a,y\n";
  for (int i = 0; i < 5000; ++i)
    text +=
        "name" + std::to_string(i) + ",," + std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  const auto table = read(text, {.target = "y"});
  ASSERT_TRUE(table) << table.error();
  ASSERT_EQ(table->table.features.size(), 1U);
  EXPECT_EQ(table->notes.size(), 2U);
}

TEST(CsvTable, SaysThatMoreThanTwoNumbersAreNoClasses) {
  const auto three = read("a,y\n1,0\n2,1\n3,2\n", {.target = "y"});
  ASSERT_TRUE(three) << three.error();
  EXPECT_FALSE(three->classes);
  EXPECT_THAT(
      three->notes,
      ElementsAre(HasSubstr("column y has 3 different numbers: it is foretold as a value")));
}

TEST(CsvTable, SaysWhichColumnsLoseTheirDifferences) {
  std::string text = "time,a,y\n";
  for (int i = 0; i < 100; ++i)
    text += std::to_string(1'700'000'000 + i) + "," + std::to_string(i) + "," +
            std::to_string(5'000'000'000 + i) + "\n";
  const auto table = read(text, {.target = "y"});
  ASSERT_TRUE(table) << table.error();
  EXPECT_THAT(table->notes,
              ElementsAre(HasSubstr("column time: 100 different"), HasSubstr("column y: 100 ")));
}

TEST(CsvTable, SaysWhereItWentWrong) {
  EXPECT_THAT(read("a,y\n1,0\n", {.target = "z"}).error(), HasSubstr("has no column z"));
  EXPECT_THAT(read("a,y\n1,0\n2,0\n", {.target = "y"}).error(), HasSubstr("two different values"));
  EXPECT_THAT(read("a,y\n1,p\n2,q\n3,r\n", {.target = "y"}).error(),
              HasSubstr("3 different texts"));
  EXPECT_THAT(read("a,y\n1,0\n2,1,3\n", {.target = "y"}).error(), HasSubstr("f.csv:3"));
  EXPECT_THAT(read("y\n1\n0\n", {.target = "y"}).error(), HasSubstr("no column is left"));
  EXPECT_THAT(read("a,t,y\n1,x,0\n2,x,1\n", {.target = "y", .time = "t"}).error(),
              HasSubstr("f.csv:2: column t is no time"));
  EXPECT_THAT(read("a,w,y\n1,0,0\n2,1,1\n", {.target = "y", .weight = "w"}).error(),
              HasSubstr("is no weight"));
}

}  // namespace
}  // namespace liminal::training
