#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "app/event_source.hpp"
#include "app/play_message.hpp"
#include "app/trace.hpp"

namespace liminal::app {
namespace {

using testing::ElementsAre;

std::unique_ptr<std::istream> text(const std::string& lines) {
  return std::make_unique<std::istringstream>(lines);
}

TEST(Trace, OfADirectoryIsNone) {
  EXPECT_EQ(open_trace("/").error(), "is a directory: name the files in it");
  EXPECT_EQ(open_trace("/nowhere/day.ndjson").error(), "cannot be opened");
  EXPECT_TRUE(open_trace("/dev/null"));
}

TEST(TraceSource, MergesTracesByTimeAndNamesBadLines) {
  std::vector<std::string> complaints;
  TraceSource source([&](const std::string& what) { complaints.push_back(what); });
  source.add("a",
             text("{\"t\":1,\"user\":\"a1\",\"kind\":\"message\"}\nnonsense\n"
                  "{\"t\":3,\"user\":\"a3\",\"kind\":\"message\"}\n"));
  source.add("b",
             text("{\"t\":1,\"user\":\"b1\",\"kind\":\"join\"}\n\n"
                  "{\"t\":2,\"user\":\"b2\",\"kind\":\"part\"}\n"));
  std::vector<std::string> users;
  while (const auto event = source.next()) users.emplace_back(event->user.text);
  EXPECT_THAT(users, ElementsAre("a1", "b1", "b2", "a3"));
  EXPECT_EQ(source.rejected(), 1u);
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_EQ(complaints[0].substr(0, 4), "a:2:");
}

class PlayMessage : public testing::Test {
 protected:
  traffic::Event event_;
  traffic::Name channel_{"ro\"om"};
  PlayMessage() { event_.channels = {&channel_, 1}; }
};

TEST_F(PlayMessage, OfTheHubHasTheEventsSizeAndChannel) {
  event_.bytes = 200;
  const auto message = play_message(event_, PlayFormat::kHub, 1);
  EXPECT_EQ(message->size(), 200u);
  const auto parsed = nlohmann::json::parse(*message);
  EXPECT_EQ(parsed["type"], "publish");
  EXPECT_EQ(parsed["channel"], "ro\"om");
}

TEST_F(PlayMessage, HasEqualContentsForEqualHashesOnly) {
  event_.bytes = 100;
  event_.content_hash = 7;
  const auto first = play_message(event_, PlayFormat::kText, 1);
  EXPECT_EQ(first, play_message(event_, PlayFormat::kText, 2));
  event_.content_hash = 8;
  EXPECT_NE(first, play_message(event_, PlayFormat::kText, 1));
  event_.content_hash.reset();
  EXPECT_NE(play_message(event_, PlayFormat::kText, 1), play_message(event_, PlayFormat::kText, 2));
}

TEST_F(PlayMessage, ThatFailedIsOneThatIsRefused) {
  event_.error = true;
  event_.bytes = 10;
  const auto request = nlohmann::json::parse(*play_message(event_, PlayFormat::kHub, 1));
  EXPECT_NE(request["type"], "publish");
  const auto text = play_message(event_, PlayFormat::kText, 1);
  EXPECT_EQ(text->size(), 10u);
  EXPECT_EQ(text->front(), '!');
}

TEST_F(PlayMessage, OfASubscriptionIsARequestAndOfAnythingElseNone) {
  event_.kind = traffic::EventKind::kSubscribe;
  EXPECT_EQ(nlohmann::json::parse(*play_message(event_, PlayFormat::kHub, 1))["type"], "subscribe");
  EXPECT_FALSE(play_message(event_, PlayFormat::kText, 1));
  event_.kind = traffic::EventKind::kConnect;
  EXPECT_FALSE(play_message(event_, PlayFormat::kHub, 1));
}

}  // namespace
}  // namespace liminal::app
