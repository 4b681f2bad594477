#include "io/json/told_alert.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/json/value.hpp"

namespace liminal::json {
namespace {

using std::chrono::seconds;
using traffic::JudgedAlert;

constexpr SteadyTime kNow{seconds{1'800'000'000}};

JudgedAlert told() {
  JudgedAlert made;
  traffic::Alert& alert = made.alert;
  alert.shard = ShardId{17};
  alert.number = 42;
  alert.user = "ann";
  alert.address = "10.0.0.1";
  alert.type = traffic::FindingType::kSlowFlood;
  alert.severity = traffic::Severity::kHigh;
  alert.status = traffic::AlertStatus::kResolved;
  alert.first_seen = kNow - seconds{60};
  alert.last_seen = kNow;
  alert.count = 3;
  alert.detectors_agreeing = 2;
  alert.worst.type = alert.type;
  alert.worst.severity = alert.severity;
  alert.worst.detector = traffic::Detector::kRateCusum;
  alert.worst.mode = traffic::Mode::kEnforce;
  alert.worst.action = traffic::Action::kLimit;
  alert.worst.score = 1.25F;
  alert.worst.confidence = .75F;
  alert.worst.add(
      {traffic::Signal::kMessages60s, 120, 0, std::numeric_limits<float>::infinity(), 1.25F});
  alert.features[traffic::FeatureId::kMessagesPerMinute] = 120;
  return made;
}

JudgedAlert judged() {
  JudgedAlert made = told();
  made.alert.feedback = traffic::FeedbackVerdict::kFalsePositive;
  made.judged = kNow + seconds{5};
  made.note = "a test";
  return made;
}

std::string text_of(const JudgedAlert& alert) {
  Writer out;
  write(alert, out);
  return out.take();
}

std::pair<JudgedAlert, Problems> read(const std::string& text) {
  const auto value = parse(text);
  EXPECT_TRUE(value) << text;
  Problems problems;
  Fields in(*value, "", problems);
  auto alert = read_told_alert(in, "north", kNow + seconds{300});
  return {std::move(alert), std::move(problems)};
}

std::string with(std::string text, const std::string& what, const std::string& other) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), other);
}

TEST(ToldAlert, ReadsWhatWasWritten) {
  const auto [back, problems] = read(text_of(judged()));
  ASSERT_TRUE(problems.empty()) << problems.front().key << " " << problems.front().text;
  const traffic::Alert& alert = back.alert;
  EXPECT_EQ(alert.origin, (traffic::Alert::Origin{"north", ShardId{17}, 42}));
  EXPECT_EQ(alert.shard, kOfGateways);
  EXPECT_EQ(alert.user, "ann");
  EXPECT_EQ(alert.address, "10.0.0.1");
  EXPECT_EQ(alert.type, traffic::FindingType::kSlowFlood);
  EXPECT_EQ(alert.severity, traffic::Severity::kHigh);
  EXPECT_EQ(alert.status, traffic::AlertStatus::kResolved);
  EXPECT_EQ(alert.first_seen, kNow - seconds{60});
  EXPECT_EQ(alert.last_seen, kNow);
  EXPECT_EQ(alert.count, 3U);
  EXPECT_EQ(alert.detectors_agreeing, 2U);
  EXPECT_EQ(alert.worst.detector, traffic::Detector::kRateCusum);
  EXPECT_EQ(alert.worst.mode, traffic::Mode::kEnforce);
  EXPECT_EQ(alert.worst.action, traffic::Action::kLimit);
  EXPECT_EQ(alert.worst.score, 1.25F);
  EXPECT_EQ(alert.worst.confidence, .75F);
  ASSERT_EQ(alert.first.lines().size(), 1U);
  EXPECT_EQ(alert.first.lines()[0].signal, traffic::Signal::kMessages60s);
  EXPECT_EQ(alert.first.lines()[0].observed, 120);
  EXPECT_FALSE(std::isfinite(alert.first.lines()[0].expected_high));
  EXPECT_EQ(alert.features[traffic::FeatureId::kMessagesPerMinute], 120);
  EXPECT_EQ(alert.feedback, traffic::FeedbackVerdict::kFalsePositive);
  EXPECT_EQ(back.judged, kNow + seconds{5});
  EXPECT_EQ(back.note, "a test");
}

TEST(ToldAlert, OfAClockThatIsAheadIsToldAndItsWordNoYoungerThanItCanBe) {
  JudgedAlert made = judged();
  made.alert.last_seen = kNow + std::chrono::hours{2};
  made.judged = kNow + std::chrono::hours{2};
  const auto [back, problems] = read(text_of(made));
  ASSERT_TRUE(problems.empty()) << problems.front().key << " " << problems.front().text;
  EXPECT_EQ(back.alert.last_seen, kNow + std::chrono::hours{2});
  EXPECT_EQ(back.judged, kNow + seconds{300});
}

TEST(ToldAlert, HasTheLargestNumbersThatThereAre) {
  JudgedAlert made = told();
  made.alert.worst.score = std::numeric_limits<float>::max();
  const auto [back, problems] = read(text_of(made));
  ASSERT_TRUE(problems.empty()) << problems.front().key << " " << problems.front().text;
  EXPECT_EQ(back.alert.worst.score, std::numeric_limits<float>::max());
}

TEST(ToldAlert, OfWhichNobodySaidAnythingHasNoFeedback) {
  const auto [back, problems] = read(text_of(told()));
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(back.alert.feedback, traffic::FeedbackVerdict::kNone);
}

TEST(ToldAlert, IsRefusedWithThePathOfWhatIsWrong) {
  const std::string text = text_of(judged());
  const auto path = [&](const std::string& what, const std::string& other) {
    const auto problems = read(with(text, what, other)).second;
    return problems.empty() ? std::string() : problems.front().key;
  };
  EXPECT_EQ(path(R"("17-42")", R"("64-42")"), "id") << "a cluster's own number is nobody's origin";
  EXPECT_EQ(path(R"("17-42")", R"("17")"), "id");
  EXPECT_EQ(path(R"("17-42")", R"("17-72057594037927936")"), "id");
  EXPECT_EQ(path("slow_flood", "flood"), "type");
  EXPECT_EQ(path("rate_cusum", "cusum"), "detector");
  EXPECT_EQ(path("messages_60s", "messages"), "evidence[0].signal");
  EXPECT_EQ(path("false_positive", "none"), "feedback.verdict");
  EXPECT_EQ(path(R"("count":3)", R"("count":0)"), "count");
  EXPECT_EQ(path(R"("messages_per_minute":120)", R"("messages_per_minute":-1)"),
            "features.messages_per_minute");
  EXPECT_EQ(path(R"("user_id":"ann")", R"("user_id":"ann","more":1)"), "more");
}

TEST(ToldWord, ReadsBack) {
  JudgedAlert word = judged();
  word.alert.origin = {"north", ShardId{3}, 9};
  Writer out;
  write_word(word, out);
  const auto value = parse(out.text());
  Problems problems;
  Fields in(*value, "", problems);
  const JudgedAlert back = read_word(in);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(traffic::alert_id(back.alert), "3-9");
  EXPECT_EQ(back.alert.first_seen, word.alert.first_seen);
  EXPECT_EQ(back.alert.feedback, word.alert.feedback);
  EXPECT_EQ(back.judged, word.judged);
  EXPECT_EQ(back.note, word.note);
}

}  // namespace
}  // namespace liminal::json
