#include "io/csv/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace liminal::csv {
namespace {

using ::testing::ElementsAre;

TEST(Table, FindsColumnsByNameOrNumber) {
  std::istringstream in("time,load,2\n1,2,3\n");
  auto table = Table::open(in, {.header = Header::kPresent});
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->has_header());
  EXPECT_EQ(table->find("load"), 1U);
  EXPECT_EQ(table->find("1"), 0U);
  EXPECT_EQ(table->find("2"), 2U) << "a name wins over a number";
  for (const char* none : {"Load", "0", "4", "-1", "", "1x"})
    EXPECT_EQ(table->find(none), std::nullopt) << none;
}

TEST(Table, TellsAHeaderFromARow) {
  const auto has_header = [](const std::string& text) {
    std::istringstream in(text);
    return Table::open(in)->has_header();
  };
  EXPECT_TRUE(has_header("time,load\n1,2\n"));
  EXPECT_TRUE(has_header("\"V1\",\"V2\"\n\"H1\",5\n"));
  EXPECT_TRUE(has_header("load\n"));
  EXPECT_FALSE(has_header("1\n2\n"));
  EXPECT_FALSE(has_header("H1,619,565\n"));
  EXPECT_FALSE(has_header("2026-01-01 00:00:00,NA\n"));
  EXPECT_FALSE(has_header("NA\n1\n"));
}

TEST(Table, GivesTheFirstRowToo) {
  std::istringstream in("1,2\n3,NA\n");
  auto table = Table::open(in);
  ASSERT_TRUE(table);
  EXPECT_THAT(table->names(), ElementsAre("1", "2"));
  EXPECT_EQ(table->next(), true);
  EXPECT_EQ(table->number(1), 2);
  EXPECT_EQ(table->next(), true);
  EXPECT_TRUE(std::isnan(*table->number(1)));
  EXPECT_EQ(table->next(), false);
  EXPECT_EQ(table->next(), false);
}

TEST(Table, NamesWhatIsNoNumber) {
  std::istringstream in("t,load\n1,2\n\n2,many\n");
  auto table = Table::open(in);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->next(), true);
  EXPECT_EQ(table->next(), true);
  EXPECT_EQ(table->number(1).error(), (Mistake{ErrorCode::kMalformed, 4, 2, "is no number"}));
}

TEST(Table, RefusesUnevenRowsUnlessItIsRagged) {
  for (const bool ragged : {false, true}) {
    std::istringstream in("a,b\n1,2\n3\n");
    auto table = Table::open(in, {.ragged = ragged});
    ASSERT_TRUE(table);
    EXPECT_EQ(table->next(), true);
    const auto more = table->next();
    ASSERT_EQ(more.has_value(), ragged);
    if (ragged) {
      EXPECT_TRUE(std::isnan(*table->number(1)));
    } else {
      EXPECT_EQ(more.error().line, 3U);
    }
  }
}

TEST(Table, SaysThatAFileIsEmpty) {
  std::istringstream in("\n \n");
  const auto table = Table::open(in);
  ASSERT_FALSE(table);
  EXPECT_EQ(text(table.error(), "f.csv"), "f.csv: is empty");
}

}  // namespace
}  // namespace liminal::csv
