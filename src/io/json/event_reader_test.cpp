#include "io/json/event_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace liminal::json {
namespace {

using namespace std::chrono_literals;
using traffic::EventKind;

std::string refusal(std::string_view line) {
  EventReader reader;
  const EventResult result = reader.read(line, EventTime{});
  return result ? "accepted" : text(result.error());
}

TEST(EventReader, ReadsTheWordsOfTheApi) {
  EventReader reader;
  const EventResult event = reader.read(
      R"({"user_id":"ann","ip_address":"2001:db8::1","channels":["general",7],"kind":"message",)"
      R"("message_size":120,"error":true,"content_hash":"abc","timestamp":1700000000.25})");

  ASSERT_TRUE(event) << text(event.error());
  EXPECT_EQ(event->user.text, "ann");
  EXPECT_EQ(event->user.hash, hash64("ann"));
  EXPECT_EQ(event->address.text, "2001:db8::1");
  ASSERT_EQ(event->channels.size(), 2U);
  EXPECT_EQ(event->channels[0].text, "general");
  EXPECT_EQ(event->channels[1].text, "7");
  EXPECT_EQ(event->kind, EventKind::kMessage);
  EXPECT_EQ(event->bytes, 120U);
  EXPECT_TRUE(event->error);
  EXPECT_EQ(event->content_hash, hash64("abc"));
  EXPECT_EQ(event->time, EventTime{1700000000250ms});
}

TEST(EventReader, ReadsTheWordsOfTraces) {
  EventReader reader;
  const EventResult event =
      reader.read(R"({"t":6.67,"user":"u1","kind":"message","bytes":47,"ip":"10.2.3.4","error":1,)"
                  R"("channel":"x","hash":18446744073709551615})");

  ASSERT_TRUE(event) << text(event.error());
  EXPECT_EQ(event->time, EventTime{6670ms});
  EXPECT_EQ(event->user.text, "u1");
  EXPECT_TRUE(event->error);
  EXPECT_EQ(event->channels[0].text, "x");
  EXPECT_EQ(event->content_hash, ~std::uint64_t{0});
}

TEST(EventReader, KnowsEveryKindByBothItsNames) {
  const std::pair<const char*, EventKind> kinds[] = {{"message", EventKind::kMessage},
                                                     {"error", EventKind::kMessage},
                                                     {"connect", EventKind::kConnect},
                                                     {"join", EventKind::kConnect},
                                                     {"disconnect", EventKind::kDisconnect},
                                                     {"part", EventKind::kDisconnect},
                                                     {"subscribe", EventKind::kSubscribe},
                                                     {"rate_limited", EventKind::kRateLimited}};
  EventReader reader;
  for (const auto& [name, kind] : kinds) {
    const EventResult event =
        reader.read(std::string(R"({"t":0,"user":"u","kind":")") + name + R"("})");
    ASSERT_TRUE(event) << name;
    EXPECT_EQ(event->kind, kind) << name;
    EXPECT_EQ(event->error, std::string_view(name) == "error") << name;
    EXPECT_FALSE(event->content_hash) << "no hash is no evidence";
  }
}

TEST(EventReader, TakesTheTimeOfTheCallWhenALineHasNone) {
  EventReader reader;
  EXPECT_EQ(reader.read(R"({"user":"u","kind":"join"})", EventTime{5s})->time, EventTime{5s});
  const EventResult without = reader.read(R"({"user":"u","kind":"join"})");
  ASSERT_FALSE(without);
  EXPECT_EQ(text(without.error()), "t: is missing");
}

TEST(EventReader, AcceptsEscapesAndWholeNumbersWrittenAsReals) {
  EventReader reader;
  const EventResult event =
      reader.read(R"({"t":1,"user":"\u00e9\n","kind":"message","bytes":30.0,"channel":2.0})");
  ASSERT_TRUE(event) << text(event.error());
  EXPECT_EQ(event->user.text, "\u00e9\n");
  EXPECT_EQ(event->bytes, 30U);
  EXPECT_EQ(event->channels[0].text, "2");
}

TEST(EventReader, NamesTheFieldThatIsWrong) {
  const std::string user = R"("user":"u","kind":"message")";
  const std::pair<std::string, std::string> cases[] = {
      {"", "is not valid JSON"},
      {"{", "is not valid JSON"},
      {"[]", "must be a JSON object"},
      {"{\"user\":\"\xff\",\"kind\":\"join\"}", "is not valid UTF-8"},
      {R"({"kind":"message"})", "user_id: is missing"},
      {R"({"user":"u"})", "kind: is missing"},
      {R"({"user":"","kind":"message"})", "user: must be text of 1 to 128 bytes"},
      {R"({"user_id":7,"kind":"message"})", "user_id: must be text of 1 to 128 bytes"},
      {R"({"user":")" + std::string(129, 'a') + R"(","kind":"message"})",
       "user: must be text of 1 to 128 bytes"},
      {R"({"user":"u","kind":"shout"})",
       "kind: must be message, error, connect (join), disconnect (part), subscribe or "
       "rate_limited"},
      {"{" + user + R"(,"usr":1})", "usr: unknown field"},
      {"{" + user + R"(,"user_id":"u"})", "user_id: given twice"},
      {"{" + user + R"(,"t":-1})",
       "t: must be seconds since the epoch or RFC 3339, from 1970 to 2200"},
      {"{" + user + R"(,"t":1e300})",
       "t: must be seconds since the epoch or RFC 3339, from 1970 to 2200"},
      {"{" + user + R"(,"timestamp":"yesterday"})",
       "timestamp: must be seconds since the epoch or RFC 3339, from 1970 to 2200"},
      {"{" + user + R"(,"bytes":-1})", "bytes: must be a whole number from 0 to 4294967295"},
      {"{" + user + R"(,"bytes":4294967296})",
       "bytes: must be a whole number from 0 to 4294967295"},
      {"{" + user + R"(,"message_size":1.5})",
       "message_size: must be a whole number from 0 to 4294967295"},
      {"{" + user + R"(,"error":2})", "error: must be true, false, 1 or 0"},
      {"{" + user + R"(,"ip":""})", "ip: must be text of 1 to 64 bytes"},
      {"{" + user + R"(,"channel":null})",
       "channel: must be text of 1 to 256 bytes or a whole number, or an array of up to 64 of "
       "these"},
      {"{" + user + R"(,"hash":1.5})",
       "hash: must be a whole number of 64 bits or text that is not empty"},
      {R"({"user":"u","kind":"error","error":false})",
       "error: must not be false when kind is error"},
      {std::string(kEventLineBytesMax + 1, ' '), "is longer than 256 KiB"},
  };
  for (const auto& [line, expected] : cases)
    EXPECT_EQ(refusal(line), expected) << line.substr(0, 99);
}

TEST(EventReader, RefusesMoreChannelsThanAnEventMayCarry) {
  std::string channels = "0";
  for (int i = 1; i < 64; ++i) channels += "," + std::to_string(i);
  const std::string start = R"({"user":"u","kind":"subscribe","channels":[)";
  EXPECT_EQ(refusal(start + channels + "]}"), "accepted");
  EXPECT_THAT(refusal(start + channels + ",64]}"), ::testing::StartsWith("channels: must be"));
}

TEST(EventReader, GoodLinesCountEvenIfOthersAreBad) {
  EventReader reader;
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  const auto done = reader.read_all(
      "{\"user\":\"a\",\"kind\":\"join\"}\r\n"
      "\n"
      "nonsense\n"
      "{\"user\":\"b\",\"kind\":\"part\"}",
      EventTime{},
      [&seen](std::uint64_t line, const EventResult& event) {
        seen.emplace_back(line, event ? std::string(event->user.text) : text(event.error()));
      });

  EXPECT_TRUE(done);
  EXPECT_THAT(seen,
              ::testing::ElementsAre(::testing::Pair(1, "a"),
                                     ::testing::Pair(3, "is not valid JSON"),
                                     ::testing::Pair(4, "b")));
}

TEST(EventReader, ReadsAnArrayAndNamesItsElements) {
  EventReader reader;
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  const auto done = reader.read_all(
      R"(  [{"user":"a","kind":"join"}, 5, {"user":"b","kind":"join","channels":[1,"x"]}] )",
      EventTime{},
      [&seen](std::uint64_t line, const EventResult& event) {
        seen.emplace_back(line, event ? std::string(event->user.text) : text(event.error()));
      });

  EXPECT_TRUE(done);
  EXPECT_THAT(seen,
              ::testing::ElementsAre(::testing::Pair(1, "a"),
                                     ::testing::Pair(2, "must be a JSON object"),
                                     ::testing::Pair(3, "b")));
}

TEST(EventReader, AnArrayThatIsNotJsonIsRefusedWhole) {
  EventReader reader;
  int calls = 0;
  const auto done = reader.read_all(R"([{"user":"a","kind":"join"},)",
                                    EventTime{},
                                    [&calls](std::uint64_t, const EventResult&) { ++calls; });
  ASSERT_FALSE(done);
  EXPECT_EQ(text(done.error()), "the array is not valid JSON");
  EXPECT_EQ(calls, 0);
}

TEST(EventReader, StaysUsableAfterAnArrayOrAnError) {
  EventReader reader;
  static_cast<void>(reader.read("{"));
  static_cast<void>(reader.read_all("[[[", EventTime{}, [](std::uint64_t, const EventResult&) {}));
  EXPECT_TRUE(reader.read(R"({"t":0,"user":"u","kind":"join"})"));
}

}  // namespace
}  // namespace liminal::json
