#include "app/anomaly/annotate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/base/random.hpp"

namespace liminal::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  std::vector<std::string> lines;
  std::string error;
  std::string svg;
  std::uint64_t late = 0;
  std::vector<std::string> passed_over;
};

Outcome annotate(const std::string& table, AnomalyOptions options = {}) {
  std::FILE* file = std::tmpfile();
  options.plot = true;
  Annotator annotator(options, file);
  TableFile in{"t.csv", std::make_unique<std::istringstream>(table)};
  Outcome outcome;
  in.passed_over = &outcome.passed_over;
  const auto done = annotator.run(in);
  outcome.late = annotator.late();
  if (!done) outcome.error = done.error();
  outcome.svg = annotator.svg("t");
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) outcome.lines.push_back(line);
  return outcome;
}

std::string table(bool two) {
  Random random(1);
  std::string text = two ? "timestamp,cpu,memory\n" : "timestamp,cpu\n";
  for (int i = 0; i < 600; ++i) {
    text += std::to_string(1'000'000'000 + 60 * i) + "," +
            std::to_string((i == 500 ? 3 : .5) + .01 * random.normal());
    if (two) text += "," + std::to_string(.3 + .01 * random.normal());
    text += "\n";
  }
  return text;
}

TEST(Annotator, WritesALineForEachRow) {
  const Outcome outcome = annotate(table(false));
  EXPECT_EQ(outcome.error, "");
  ASSERT_EQ(outcome.lines.size(), 601U);
  EXPECT_EQ(outcome.lines[0], "time,score,novelty,is_anomaly");
  EXPECT_EQ(outcome.lines[1], "1000000000,0,0,0");
  EXPECT_THAT(outcome.lines[501], StartsWith("1000030000,"));
  EXPECT_EQ(outcome.lines[501].back(), '1');
  EXPECT_THAT(outcome.svg, HasSubstr("<svg"));
}

TEST(Annotator, TellsWhatEachOfSeveralColumnsContributes) {
  const Outcome outcome = annotate(table(true));
  ASSERT_EQ(outcome.lines.size(), 601U);
  EXPECT_EQ(outcome.lines[0], "time,score,novelty,is_anomaly,contribution_cpu,contribution_memory");
  double score = 0, novelty = 0, cpu = 0, memory = 0;
  int anomaly = 0;
  ASSERT_EQ(std::sscanf(outcome.lines[501].c_str(),
                        "1000030000,%lf,%lf,%d,%lf,%lf",
                        &score,
                        &novelty,
                        &anomaly,
                        &cpu,
                        &memory),
            5);
  EXPECT_EQ(anomaly, 1);
  EXPECT_GT(cpu, 10 * memory);
}

TEST(Annotator, TakesColumnsRangesAndTimesByName) {
  AnomalyOptions options;
  options.columns = {"b"};
  options.time = "when";
  options.ranges["b"] = {0, 10};
  const Outcome outcome =
      annotate("when,a,b\n2026-01-01 00:00:00,1,2\n2026-01-01 00:01:00,x,\n", options);
  EXPECT_EQ(outcome.error, "");
  ASSERT_EQ(outcome.lines.size(), 3U);
  EXPECT_EQ(outcome.lines[2], "2026-01-01 00:01:00,0,0,0");
}

TEST(Annotator, ReadsLinesOfJsonAsItReadsATable) {
  std::string json;
  std::istringstream lines(table(true));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto first = line.find(','), second = line.find(',', first + 1);
    json += R"({"timestamp":)" + line.substr(0, first) + R"(,"host":"web","cpu":)" +
            line.substr(first + 1, second - first - 1) + R"(,"memory":)" + line.substr(second + 1) +
            "}\n";
  }
  EXPECT_EQ(annotate(json).lines, annotate(table(true)).lines);
  EXPECT_THAT(annotate("{\"cpu\":1}\n[]\n").error, HasSubstr("t.csv:2: is no JSON object"));
}

TEST(Annotator, PassesOverWhatTheFirstLineDoesNotHave) {
  const Outcome outcome = annotate("{\"cpu\":1}\n{\"host\":\"web\",\"cpu\":2}\n");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.lines.size(), 3U);
  EXPECT_THAT(outcome.passed_over, ElementsAre("host"));
}

TEST(Annotator, CountsRowsThatAreNotInOrder) {
  EXPECT_EQ(annotate("time,a\n60,1\n0,2\n60,3\n59,4\n").late, 2U);
  EXPECT_EQ(annotate("time,a\n60,1\n60,2\n61,3\n").late, 0U);
}

TEST(Annotator, NumbersRowsWithoutATime) {
  const Outcome outcome = annotate("5\n6\n7\n");
  ASSERT_EQ(outcome.lines.size(), 4U);
  EXPECT_EQ(outcome.lines[3], "3,0,0,0");
}

TEST(Annotator, SaysWhatIsWrongAndWhere) {
  AnomalyOptions options;
  options.columns = {"c"};
  EXPECT_THAT(annotate("a,b\n1,2\n", options).error, HasSubstr("no column \"c\"; there are: a, b"));
  EXPECT_THAT(annotate("a,b\n1,2\n1,x\n").error, HasSubstr("t.csv:3"));
  EXPECT_THAT(annotate("time,b\n1,2\nx,3\n").error, HasSubstr("\"x\" is no time"));
  EXPECT_THAT(annotate("a,b\n").error, HasSubstr("no row"));
  EXPECT_NE(annotate("").error, "");
  EXPECT_THAT(annotate("a\nx\n").error, HasSubstr("no column holds numbers"));
  AnomalyOptions range;
  range.ranges["z"] = {0, 1};
  EXPECT_THAT(annotate("a,b\n1,2\n", range).error, HasSubstr("--range names \"z\""));
}

TEST(ParseRange, ReadsNameMinimumAndMaximum) {
  const auto range = parse_range("cpu=user=-1.5:2e3");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, "cpu=user");
  EXPECT_EQ(range->second, (novelty::Range{-1.5, 2000}));
  for (const char* wrong : {"", "cpu", "=1:2", "cpu=1", "cpu=2:1", "cpu=x:1", "cpu=1:", "cpu=1:1"})
    EXPECT_FALSE(parse_range(wrong)) << wrong;
}

}  // namespace
}  // namespace liminal::app
