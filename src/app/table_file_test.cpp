#include "app/table_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
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

TEST(TableFile, IsNoneForLinesOfJson) {
  const std::string path = ::testing::TempDir() + "table_file_test.ndjson";
  std::ofstream(path) << "{\"a\":1}\n";
  EXPECT_FALSE(open_table_file(path));
  std::ofstream(path) << "a\n1\n";
  EXPECT_TRUE(open_table_file(path));
  std::remove(path.c_str());
}

TEST(TimeColumn, IsFoundByItsName) {
  const std::vector<std::string> names{"requests", "Timestamp", "t"};
  EXPECT_EQ(time_column(names), 1U);
  EXPECT_EQ(time_column(std::span(names).first(1)), std::nullopt);
}

}  // namespace
}  // namespace liminal::app
