#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "app/salience/events.hpp"
#include "app/salience/ranking.hpp"

namespace liminal::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What is written by `write(FILE*)`.
template <class Write>
std::string written(Write write) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  write(file);
  std::fclose(file);
  std::string out(text, size);
  std::free(text);
  return out;
}

struct Answer {
  SalienceEvents events;
  std::string lines, complaints, svg;
};

Answer rank(const std::string& text) {
  Answer answer;
  TableFile file{"events", std::make_unique<std::istringstream>(text)};
  answer.complaints =
      written([&](std::FILE* out) { answer.events = read_salience_events(file, out); });
  const SalienceRanking ranking(answer.events.events);
  answer.lines = written([&](std::FILE* out) { ranking.write(out, answer.events.left_out); });
  answer.svg = ranking.svg("events");
  return answer;
}

constexpr const char* kLines =
    "{\"type\":\"login\",\"severity\":\"low\",\"duration\":120}\n"
    "\n"
    "{\"type\":\"7\",\"severity\":\"high\",\"frequency\":0.8}\n"
    "{\"severity\":0.5,\"user_id\":\"ann\"}\n";
constexpr const char* kTable =
    "type,severity,duration,frequency,user_id\n"
    "login,low,120,,\n"
    "7,high,NA,.8,\n"
    ",.5,,,ann\n";

TEST(SalienceCommand, RanksEventsInTheirOrder) {
  const Answer answer = rank(kLines);
  std::istringstream lines(answer.lines);
  std::vector<std::string> ranks;
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find("\"rank\":");
    ASSERT_NE(at, std::string::npos);
    ranks.push_back(line.substr(at + 7, 1));
    EXPECT_THAT(line, HasSubstr("\"explanation\":[{\"term\":\"base\""));
  }
  EXPECT_THAT(ranks, ElementsAre("3", "1", "2"));
  EXPECT_EQ(answer.complaints, "");
}

TEST(SalienceCommand, ReadsATableAsItReadsLinesOfJson) {
  const Answer table = rank(kTable), lines = rank(kLines);
  EXPECT_EQ(table.lines, lines.lines);
  EXPECT_EQ(table.complaints, "");
  EXPECT_EQ(table.events.events[1].type, "7") << "a name may look like a number";
  EXPECT_EQ(table.events.events[2].user, "ann");
}

TEST(SalienceCommand, SaysWhatIsWrongAndLeavesThoseEventsOut) {
  for (const char* text : {"{\"severity\":\"low\"}\n{\"duration\":-1,\"more\":1}\n",
                           "severity,duration,more\nlow,,\n,-1,1\n"}) {
    const Answer answer = rank(text);
    EXPECT_EQ(answer.events.events.size(), 1U);
    EXPECT_EQ(answer.events.wrong, 1U);
    EXPECT_THAT(answer.events.ignored, ElementsAre("more"));
    EXPECT_THAT(answer.complaints, HasSubstr(": duration must not be negative\n"));
  }
  EXPECT_THAT(rank("{}\n{\n").complaints, HasSubstr("events:2: this is no JSON\n"));
  EXPECT_THAT(rank("duration\nlong\n").complaints,
              HasSubstr("events:2: duration must be a number"));
  EXPECT_THAT(rank("duration,type\n1\n").complaints, HasSubstr("events:2: has fewer fields"));
  EXPECT_THAT(rank("").events.events, IsEmpty());
  EXPECT_EQ(rank("").events.wrong, 0U);
}

TEST(SalienceCommand, HasALineForEachEventAlsoForThoseLeftOut) {
  const std::string wrong =
      R"({"score":null,"rank":null,"explanation":[],"error":"duration must not be negative"})";
  for (const char* text :
       {"{\"duration\":-1}\n{\"severity\":\"low\"}\n{\"severity\":\"high\"}\n{\"duration\":-1}\n",
        "severity,duration\n,-1\nlow,\nhigh,\n,-1\n"}) {
    std::istringstream in(rank(text).lines);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0], wrong);
    EXPECT_THAT(lines[1], HasSubstr("\"rank\":2"));
    EXPECT_THAT(lines[2], HasSubstr("\"rank\":1"));
    EXPECT_EQ(lines[3], wrong);
  }
  EXPECT_THAT(rank("{\n").lines, HasSubstr("\"error\":\"this is no JSON\""));
}

TEST(SalienceCommand, DrawsScoresByRank) {
  EXPECT_THAT(rank(kLines).svg, HasSubstr(">events: 3 events<"));
  EXPECT_THAT(rank(kLines).svg, HasSubstr(">salience<"));
  EXPECT_THAT(rank("").svg, HasSubstr("</svg>"));
}

}  // namespace
}  // namespace liminal::app
