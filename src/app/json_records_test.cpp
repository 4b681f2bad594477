#include "app/json_records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace liminal::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Record = std::vector<std::string>;

struct Read {
  std::vector<Record> records;
  csv::Mistake mistake;  ///< line 0: none
};

Read read(const std::string& text) {
  std::istringstream in(text);
  JsonRecords records(in);
  Read out;
  for (;;) {
    const auto more = records.next();
    if (!more) out.mistake = more.error();
    if (!more || !*more) break;
    out.records.emplace_back(records.fields().begin(), records.fields().end());
  }
  EXPECT_EQ(records.next(), false) << "at its end it stays there";
  return out;
}

TEST(JsonRecords, GiveTheNamesAndThenARecordALine) {
  const Read got = read("{\"t\":1.5,\"cpu\":-3}\n\n \r\n{\"cpu\":1e21,\"t\":1234567890}");
  EXPECT_THAT(got.records,
              ElementsAre(Record{"t", "cpu"}, Record{"1.5", "-3"}, Record{"1234567890", "1e+21"}));
  EXPECT_EQ(got.mistake.line, 0U);
}

TEST(JsonRecords, WriteWhatIsNoNumberAsAFieldThatIsNone) {
  const Read got = read(R"({"a":null,"b":true,"c":"x, \"y\"","d":[1],"e":{}})");
  ASSERT_EQ(got.records.size(), 2U);
  EXPECT_EQ(got.records[1], (Record{"", "true", "x, \"y\"", "[", "{"}));
}

TEST(JsonRecords, LeaveEmptyWhatAnObjectLeavesOut) {
  EXPECT_EQ(read("{\"a\":1,\"b\":2}\n{\"b\":3}\n").records.at(2), (Record{"", "3"}));
}

TEST(JsonRecords, SayWhatIsWrongOnWhichLine) {
  using enum ErrorCode;
  const auto mistake = [](const std::string& text) { return read(text).mistake; };
  EXPECT_EQ(mistake("{\"a\":1}\n5\n"), (csv::Mistake{kMalformed, 2, 0, "is no JSON object"}));
  EXPECT_EQ(mistake("{\"a\":1}\n{\"a\":\n"), (csv::Mistake{kMalformed, 2, 0, "is no JSON object"}));
  EXPECT_EQ(mistake("\n{\"a\":1}\n{\"b\":1}"),
            (csv::Mistake{kMalformed, 3, 0, "has a field that the first object does not have"}));
  EXPECT_EQ(mistake("{\"a\":1,\"a\":2}"), (csv::Mistake{kMalformed, 1, 0, "has a field twice"}));
  EXPECT_EQ(mistake("{}"), (csv::Mistake{kMissing, 1, 0, "is an object without fields"}));
  EXPECT_EQ(mistake("{\"a\":\"" + std::string(17 << 20, 'x') + "\"}"),
            (csv::Mistake{kTooLarge, 1, 0, "is longer than 16 MiB"}));
}

TEST(JsonRecords, PassOverFieldsThatComeLaterAndNameThem) {
  std::istringstream in("{\"a\":1}\n{\"b\":2,\"a\":3}\n{\"b\":4}\n");
  std::vector<std::string> passed_over;
  JsonRecords records(in, 0, &passed_over);
  std::vector<std::string> first;
  while (records.next().value_or(false)) first.emplace_back(records.fields()[0]);
  EXPECT_THAT(first, ElementsAre("a", "1", "3", ""));
  EXPECT_THAT(passed_over, ElementsAre("b"));
}

TEST(JsonRecords, AreNoneOfAnEmptyStream) { EXPECT_THAT(read("").records, IsEmpty()); }

}  // namespace
}  // namespace liminal::app
