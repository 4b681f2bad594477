#include "io/csv/record_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <sstream>

namespace liminal::csv {
namespace {

using Record = std::vector<std::string>;
using ::testing::ElementsAre;

struct Read {
  std::vector<Record> records;
  std::vector<std::uint64_t> lines;
  Mistake mistake;
};

Read read(const std::string& text, char separator = 0) {
  std::istringstream in(text);
  RecordReader reader(in, separator);
  Read read;
  for (;;) {
    const auto more = reader.next();
    if (!more) read.mistake = more.error();
    if (!more || !*more) return read;
    read.records.emplace_back(reader.fields().begin(), reader.fields().end());
    read.lines.push_back(reader.line());
  }
}

TEST(RecordReader, SplitsLinesIntoFields) {
  EXPECT_THAT(read("a,b\n1,2\n3,\n").records,
              ElementsAre(Record{"a", "b"}, Record{"1", "2"}, Record{"3", ""}));
  EXPECT_THAT(read("1,2").records, ElementsAre(Record{"1", "2"}));
  EXPECT_THAT(read("").records, ElementsAre());
}

TEST(RecordReader, KeepsWhatIsQuotedAndDropsBlanksAroundIt) {
  EXPECT_THAT(read("\" a,\"\"b\"\"\n\" , c ,\"\"\r\n").records,
              ElementsAre(Record{" a,\"b\"\n", "c", ""}));
}

TEST(RecordReader, FindsTheSeparatorInTheFirstLine) {
  EXPECT_THAT(read("\"a,b,c\";b\n1;2\n").records,
              ElementsAre(Record{"a,b,c", "b"}, Record{"1", "2"}));
  EXPECT_THAT(read("a\tb\n").records, ElementsAre(Record{"a", "b"}));
  EXPECT_THAT(read("a;b\n", ',').records, ElementsAre(Record{"a;b"}));
}

TEST(RecordReader, SkipsBlankLinesAndTheByteOrderMarkButCountsLines) {
  const Read found = read(
      "\xef\xbb\xbf"
      "a\n\r\n \n\"x\ny\"\nb");
  EXPECT_THAT(found.records, ElementsAre(Record{"a"}, Record{"x\ny"}, Record{"b"}));
  EXPECT_THAT(found.lines, ElementsAre(1, 4, 6));
}

TEST(RecordReader, NamesLineAndFieldOfAMistake) {
  const Read open = read("a,b\n1,\"x\n\n");
  EXPECT_EQ(open.mistake.code, ErrorCode::kTruncated);
  EXPECT_EQ(open.mistake.line, 2U);
  EXPECT_EQ(open.mistake.field, 2U);
  EXPECT_EQ(text(open.mistake, "f.csv"), "f.csv:2: column 2 opens a quote that is never closed");
  EXPECT_EQ(text(open.mistake, "f.csv", "b"),
            "f.csv:2: column b opens a quote that is never closed");
  EXPECT_EQ(read("\"a\"b\n").mistake.code, ErrorCode::kMalformed);
  EXPECT_EQ(read(std::string("a\0b", 3)).mistake.code, ErrorCode::kMalformed);
}

TEST(RecordReader, RefusesRecordsWithoutBound) {
  EXPECT_EQ(read(std::string(RecordReader::kFieldsMax, ',')).mistake.code, ErrorCode::kTooLarge);
  EXPECT_EQ(read(std::string(RecordReader::kRecordBytesMax + 1, 'x')).mistake.code,
            ErrorCode::kTooLarge);
}

RC_GTEST_PROP(RecordReader, ReadsBackWhateverIsWrittenQuoted, ()) {
  const auto records = *rc::gen::resize(
      25,
      rc::gen::nonEmpty(rc::gen::container<std::vector<Record>>(
          rc::gen::nonEmpty(rc::gen::container<Record>(rc::gen::container<std::string>(
              rc::gen::element('a', ',', '"', '\n', '\r', ' ', ';', '\xc3')))))));
  std::string written;
  std::vector<Record> expected;
  for (const Record& record : records) {
    for (std::size_t i = 0; i < record.size(); ++i) {
      written += i == 0 ? "\"" : ",\"";
      for (const char c : record[i]) written += c == '"' ? std::string("\"\"") : std::string(1, c);
      written += '"';
    }
    written += "\r\n";
    if (record != Record{""}) expected.push_back(record);
  }
  RC_ASSERT(read(written, ',').records == expected);
}

}  // namespace
}  // namespace liminal::csv
