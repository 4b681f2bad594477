#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "app/explain_view.hpp"
#include "app/http_ask.hpp"
#include "app/top_view.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json status() {
  return json::parse(R"({"version":"0.1.0","mode":"shadow","uptime_s":83,
    "time":"2026-03-01T12:00:10.000Z","memory":{"resident_bytes":52428800},
    "feature_extractor":{"active_users":132},"anomaly_detector":{"open_alerts":2},
    "traffic":{"connections":140,"events_total":1234567,"events_per_second":210.4}})");
}

json alerts() {
  return json::parse(R"({"alerts":[
    {"severity":"critical","type":"message_flood","user_id":"eve","salience":0.83,"score":36.2,"count":204,
     "status":"open","last_seen":"2026-03-01T12:00:03.000Z","explanation":"far more messages"},
    {"severity":"low","type":"automated_client","user_id":"r\u001b[2Jobot","score":1.2,"count":1,
     "status":"resolved","last_seen":"2026-03-01T11:00:03.000Z","explanation":"regular"}]})");
}

json incidents() {
  return json::parse(R"({"incidents":[{"salience":0.91,"members":7,"entities_count":3,
    "last_seen":"2026-03-01T12:00:05.000Z","title":"account_takeover and 2 more kinds, eve"}]})");
}

json users() {
  return json::parse(R"({"users":[
    {"user_id":"eve","ip_address":"10.0.0.1","messages_per_minute":312.4,"error_rate":0.25,
     "rate_limit_violations":190,"open_connections":1,"messages_per_second_max":1.5,"score":36.2,
     "open_alerts":2,"worst_severity":"critical"},
    {"user_id":"bob","ip_address":null,"messages_per_minute":0.4,"error_rate":0,
     "rate_limit_violations":0,"open_connections":1,"messages_per_second_max":null,"score":0,
     "open_alerts":0,"worst_severity":null}]})");
}

TEST(TopView, ShowsStatusAlertsUsersAndLimits) {
  const std::string frame = render_top(status(), alerts(), incidents(), users(), 140, 30, false);
  EXPECT_THAT(
      frame,
      HasSubstr("132 users active   140 connections   1235k events (210/s)   2 alerts open"));
  EXPECT_THAT(frame, HasSubstr("0.91          7     3    5s  account_takeover and 2 more kinds"));
  EXPECT_THAT(frame, HasSubstr("critical message_flood          eve"));
  EXPECT_THAT(frame, HasSubstr("7s  far more messages"));
  EXPECT_THAT(frame, HasSubstr("312     25%     190     1      1.5   36.2  2 critical"));
  EXPECT_THAT(frame, HasSubstr("none"));
}

TEST(TopView, ShowsAlertsAsTheyComeButOpenOnesFirst) {
  const json mixed = json::parse(R"({"alerts":[
    {"severity":"high","type":"over","status":"resolved"},
    {"severity":"low","type":"present","status":"open"},
    {"severity":"high","type":"gone","status":"resolved"},
    {"severity":"low","type":"another","status":"open"}]})");
  const std::string frame = render_top(status(), mixed, json(), json(), 140, 30, false);
  std::vector<std::size_t> places;
  for (const char* type : {"present", "another", "over", "gone"})
    places.push_back(frame.find(type));
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end())) << frame;
  EXPECT_NE(places.back(), std::string::npos) << frame;
}

TEST(TopView, KeepsToItsSizeWhateverTheSize) {
  for (std::size_t width : {1u, 5u, 20u, 80u, 300u}) {
    for (std::size_t height : {1u, 2u, 5u, 24u}) {
      std::istringstream lines(
          render_top(status(), alerts(), incidents(), users(), width, height, false));
      std::string line;
      std::size_t count = 0;
      while (std::getline(lines, line)) {
        ++count;
        std::size_t characters = 0;
        for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
        EXPECT_LE(characters, width) << line;
      }
      EXPECT_LE(count, height);
    }
  }
}

TEST(TopView, LetsNoUsersNameDriveTheTerminal) {
  EXPECT_THAT(render_top(status(), alerts(), incidents(), users(), 140, 30, false),
              Not(HasSubstr("\x1b")));
}

TEST(TopView, ShowsWhatThereIsOfAnAnswerThatLacksMostOfIt) {
  EXPECT_THAT(
      render_top(json::object(), json::object(), json::object(), json::object(), 80, 24, true),
      HasSubstr("none so far"));
}

TEST(ExplainView, SaysWhatWasSeenAndWhatWasExpected) {
  const auto explanation = json::parse(R"({
    "alert":{"type":"message_flood","severity":"high","user_id":"eve","ip_address":null,"count":3,
      "first_seen":"a","last_seen":"b","status":"open","recommended_action":"limit"},
    "meaning":"far more messages",
    "first":{"severity":"high","detector":"rate_surprise_10s","decided_by":"baseline","score":1.5,
      "confidence":0.97,"evidence":[{"signal":"messages_10s","unit":"1","observed":22,
      "expected_low":0,"expected_high":6,"contribution":1.5}]},
    "worst":{},"replay":{"command":"liminal replay x"}})");
  const std::string text = render_explanation(explanation);
  EXPECT_THAT(text, HasSubstr("message_flood (high) about eve at unknown: far more messages"));
  EXPECT_THAT(text, HasSubstr("messages_10s                     22  at most 6"));
  EXPECT_THAT(text, HasSubstr("liminal replay x"));
}

TEST(ExplainView, LetsNoUsersNameDriveTheTerminal) {
  const std::string text =
      render_explanation(json::parse(R"({"alert":{"user_id":"r\u001b[2Jobot"}})"));
  EXPECT_THAT(text, HasSubstr("about r?[2Jobot at unknown"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(HttpAnswer, IsReadWithABodyInOneOrInChunks) {
  const auto whole = parse_answer("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->status, 404u);
  EXPECT_EQ(whole->body, "body");
  const auto chunks = parse_answer(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n");
  ASSERT_TRUE(chunks);
  EXPECT_EQ(chunks->body, "abc0123456789");
  EXPECT_FALSE(parse_answer("SSH-2.0-OpenSSH\r\n\r\n"));
  EXPECT_FALSE(parse_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"));
}

}  // namespace
}  // namespace liminal::app
