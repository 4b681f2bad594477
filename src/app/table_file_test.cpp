#include "app/table_file.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace liminal::app {
namespace {

using namespace std::chrono_literals;

TEST(TableTime, ReadsSecondsAndDates) {
  EXPECT_EQ(table_time("1.5"), EventTime{1500ms});
  EXPECT_EQ(table_time("1970-01-01T00:01:00Z"), EventTime{60s});
  EXPECT_EQ(table_time("1970-01-01T01:01:00+01:00"), EventTime{60s});
  EXPECT_EQ(table_time("1970-01-01 00:01:00"), EventTime{60s});
  EXPECT_EQ(table_time("1970-01-02"), EventTime{24h});
}

TEST(TableTime, RefusesWhatIsNoTime) {
  for (const char* field : {"", "x", "-1", "nan", "inf", "1e300", "1970-13-01", "2500-01-01"})
    EXPECT_EQ(table_time(field), std::nullopt) << field;
}

TEST(TableFile, IsNoneForWhatCannotBeRead) {
  EXPECT_FALSE(open_table_file("/nowhere/file.csv"));
  EXPECT_FALSE(open_table_file("/"));
}

TEST(TableFile, KnowsLinesOfJsonByTheirFirstByte) {
  const auto of = [](const std::string& text) {
    return TableFile{"x", std::make_unique<std::istringstream>(text)};
  };
  EXPECT_TRUE(of("{\"a\":1}\n").holds_json());
  EXPECT_TRUE(of("\n  {\"a\":1}\n").holds_json());
  EXPECT_FALSE(of("a\n1\n").holds_json());
  EXPECT_FALSE(of("").holds_json());
}

TEST(TableFile, IsATableOfCsvOrOfLinesOfJson) {
  for (const char* text : {"a,b\n1,x\n2,\n", "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}\n"}) {
    TableFile file{"x", std::make_unique<std::istringstream>(text)};
    auto table = open_table(file);
    ASSERT_TRUE(table) << text;
    EXPECT_TRUE(table->has_header());
    EXPECT_EQ(table->names(), (std::vector<std::string>{"a", "b"}));
    ASSERT_EQ(table->next(), true);
    EXPECT_EQ(table->number(0), 1);
    EXPECT_EQ(table->field(1), "x");
    ASSERT_EQ(table->next(), true);
    EXPECT_EQ(table->number(0), 2);
    EXPECT_EQ(table->field(1), "");
    EXPECT_EQ(table->next(), false);
  }
}

TEST(TimeColumn, IsFoundByItsName) {
  const std::vector<std::string> names{"requests", "Timestamp", "t"};
  EXPECT_EQ(time_column(names), 1U);
  EXPECT_EQ(time_column(std::span(names).first(1)), std::nullopt);
}

}  // namespace
}  // namespace liminal::app
