#include "server/hub/protocol.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/wire/message_reader.hpp"

namespace liminal::hub {
namespace {

using nlohmann::json;

/// What a client reads out of an answer's bytes.
json read_answer(const std::string& frames) {
  wire::MessageReader reader(wire::Sender::kServer, {});
  std::string_view in = frames;
  const auto message = reader.next(in);
  EXPECT_TRUE(message && message->opcode == wire::Opcode::kText && in.empty());
  return json::parse(message->payload);
}

TEST(Protocol, ReadsEveryRequest) {
  RequestReader reader;
  const auto subscribe = reader.read(R"({"type":"subscribe","channel":"lobby","id":7})");
  ASSERT_TRUE(subscribe);
  EXPECT_EQ(subscribe->kind, Request::Kind::kSubscribe);
  EXPECT_EQ(subscribe->channel, "lobby");
  EXPECT_EQ(reader.read(R"({"channel":"a\u00e9","type":"unsubscribe"})")->channel, "aé");
  for (const char* type : {"publish", "broadcast"}) {
    const auto publish = reader.read(R"({"type":")" + std::string(type) +
                                     R"(","channel":"x","content": {"a": [1, "é"]} })");
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->kind, Request::Kind::kPublish);
    EXPECT_EQ(json::parse(publish->content), json::parse(R"({"a":[1,"é"]})"));
  }
  EXPECT_EQ(reader.read(R"({"type":"publish","channel":"x","content":null})")->content, "null");
  EXPECT_EQ(reader.read(R"({"type":"ping"})")->kind, Request::Kind::kPing);
}

TEST(Protocol, SaysWhatIsWrongWithARequest) {
  RequestReader reader;
  const std::string long_channel(257, 'x');
  const struct {
    std::string message;
    std::string_view error;
  } cases[] = {
      {"", "the message is not JSON"},
      {"hello", "the message is not JSON"},
      {R"({"type":"ping")", "the message is not JSON"},
      {R"({"type":"ping"} {"type":"ping"})", "the message is not JSON"},
      {R"(["ping"])", "the message is not a JSON object"},
      {R"({})", "type must be subscribe, unsubscribe, publish, broadcast or ping"},
      {R"({"type":"shout"})", "type must be subscribe, unsubscribe, publish, broadcast or ping"},
      {R"({"type":["ping"]})", "type must be subscribe, unsubscribe, publish, broadcast or ping"},
      {R"({"type":"subscribe"})", "channel must be a text of 1 to 256 bytes"},
      {R"({"type":"subscribe","channel":""})", "channel must be a text of 1 to 256 bytes"},
      {R"({"type":"subscribe","channel":5})", "channel must be a text of 1 to 256 bytes"},
      {R"({"type":"subscribe","channel":")" + long_channel + "\"}",
       "channel must be a text of 1 to 256 bytes"},
      {R"({"type":"publish","channel":"x"})", "content is missing"},
  };
  for (const auto& bad : cases) {
    const auto request = reader.read(bad.message);
    ASSERT_FALSE(request) << bad.message;
    EXPECT_EQ(request.error(), bad.error) << bad.message;
  }
}

TEST(Protocol, WritesEveryAnswerAsOneFrameOfJson) {
  EXPECT_EQ(read_answer(subscribed("a\"é")), json({{"type", "subscribed"}, {"channel", "a\"é"}}));
  EXPECT_EQ(read_answer(unsubscribed("a")), json({{"type", "unsubscribed"}, {"channel", "a"}}));
  EXPECT_EQ(read_answer(pong()), json({{"type", "pong"}}));
  EXPECT_EQ(read_answer(error("no")), json({{"type", "error"}, {"message", "no"}}));
  EXPECT_EQ(
      read_answer(message(
          "lobby", R"({"x":1})", "eve", EventTime{std::chrono::milliseconds{1'700'000'000'123}})),
      json({{"type", "message"},
            {"channel", "lobby"},
            {"content", {{"x", 1}}},
            {"sender", "eve"},
            {"timestamp", "2023-11-14T22:13:20.123Z"}}));
}

}  // namespace
}  // namespace liminal::hub
