#include "io/json/salience_event.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "io/json/fields.hpp"

namespace liminal::json {
namespace {

struct Read {
  SalienceEvent event;
  std::vector<std::string> ignored;
  Problems problems;
};

Read read(std::string_view text) {
  Read out;
  out.event = read_salience_event(*parse(text), "features[0]", out.ignored, out.problems);
  return out;
}

double sum_of_lines(std::string_view explanation) {
  const Value lines = *parse(explanation);
  double sum = 0;
  for (const Value& line : *lines.as<Value::Array>())
    sum += *as_number((*line.as<Value::Object>())[1].second);
  return sum;
}

TEST(SalienceEvent, ScoresTheInterfacesExample) {
  const auto score = [](std::string_view text) {
    return salience::judge(read(text).event.fields).salience();
  };
  EXPECT_NEAR(score(R"({"type":"system_event","severity":"high","frequency":0.8})"), .537, 5e-4);
  EXPECT_NEAR(score(R"({"type":"user_interaction","engagement":0.6,"duration":120})"), .258, 5e-4);
}

TEST(SalienceEvent, NamesWhatIsWrong) {
  for (const auto& [text, field] : {std::pair{R"({"duration":-1})", "features[0].duration"},
                                    std::pair{R"({"cpu_usage":"high"})", "features[0].cpu_usage"},
                                    std::pair{R"({"severity":[]})", "features[0].severity"},
                                    std::pair{R"({"value":1e300})", "features[0].value"},
                                    std::pair{R"({"type":7})", "features[0].type"},
                                    std::pair{R"({"value":1,"value":1})", "features[0].value"},
                                    std::pair{R"([])", "features[0]"}}) {
    const Read got = read(text);
    ASSERT_EQ(got.problems.size(), 1u) << text;
    EXPECT_EQ(got.problems.front().key, field);
  }
  EXPECT_EQ(read("{\"source\":\"" + std::string(300, 'x') + "\"}").problems.size(), 1u);
}

TEST(SalienceEvent, NamesUnknownFieldsOnceAndTakesNullAsNothing) {
  const Read got = read(R"({"colour":1,"shape":{"a":[]},"colour":2,"value":null})");
  EXPECT_TRUE(got.problems.empty());
  EXPECT_EQ(got.ignored, (std::vector<std::string>{"colour", "shape"}));
  EXPECT_TRUE(std::isnan(got.event.fields[salience::Field::kValue]));
}

TEST(SalienceEvent, TakesASeverityThatItDoesNotKnowForNothing) {
  const Read got = read(R"({"severity":"urgent","value":1})");
  EXPECT_TRUE(got.problems.empty());
  EXPECT_EQ(got.ignored, (std::vector<std::string>{"severity urgent"}));
  EXPECT_TRUE(std::isnan(got.event.fields[salience::Field::kSeverity]));
  EXPECT_EQ(read(R"({"severity":"Fatal"})").event.fields[salience::Field::kSeverity], 2);
  EXPECT_EQ(read("{\"severity\":\"" + std::string(300, 'x') + "\"}").problems.size(), 1u);
}

TEST(SalienceEvent, SaysThatAFractionAboveOneCountsAsOne) {
  const Read got = read(R"({"cpu_usage":95})");
  Writer out;
  write_explanation(got.event, salience::judge(got.event.fields), out);
  EXPECT_NE(out.text().find("cpu_usage 95, counted as 1"), std::string::npos) << out.text();
}

RC_GTEST_PROP(SalienceEvent, ItsLinesAddUpToItsScore, ()) {
  Writer body;
  body.begin_object();
  for (std::size_t i = 1; i < salience::kFields; ++i) {
    if (*rc::gen::arbitrary<bool>())
      body.field(name(salience::Field(i)), *rc::gen::inRange(0, 2000) / 1000.);
  }
  body.end_object();
  const SalienceEvent event = read(body.text()).event;
  const salience::Judgement judgement = salience::judge(event.fields);
  Writer out;
  write_explanation(event, judgement, out);
  RC_ASSERT(std::abs(sum_of_lines(out.text()) - judgement.log_odds()) < 1e-9);
}

TEST(SalienceEvent, HasALineForEachTermOfItsHistory) {
  const SalienceEvent event = read(R"({"severity":"high"})").event;
  salience::Item item;
  item.terms = {3, 2, 7, .5, -.25, 1, 0};
  salience::TermWeights weights;
  weights.offset = -2;
  for (const bool learnt : {false, true}) {
    const salience::Judgement judgement = learnt ? salience::judge(event.fields, item, .75, weights)
                                                 : salience::judge(event.fields, item, .75);
    Writer out;
    write_explanation(event, judgement, out);
    for (const char* line : {R"({"term":"rarity","log_odds":0.75,)",
                             R"({"term":"neighbourhood","log_odds":1.75,)",
                             R"({"term":"history_base","log_odds":-3.25,)"})
      EXPECT_NE(out.text().find(line), std::string::npos) << out.text();
    EXPECT_EQ(out.text().find(R"("term":"offset")") != std::string::npos, learnt);
    EXPECT_NEAR(sum_of_lines(out.text()), judgement.log_odds(), 1e-9);
  }
}

TEST(SalienceEvent, SaysThatAnOperatorJudgedItToBeNothing) {
  salience::Item item;
  item.terms.feedback = -1;
  for (const double confidence : {0., .5}) {
    salience::Judgement judgement = salience::judge({}, item, confidence);
    judgement.word = -salience::kDismissed;
    Writer out;
    write_explanation({}, judgement, out);
    EXPECT_NE(out.text().find(R"({"term":"judged","log_odds":-12,)"), std::string::npos);
    EXPECT_NEAR(sum_of_lines(out.text()), judgement.log_odds(), 1e-9);
  }
}

}  // namespace
}  // namespace liminal::json
