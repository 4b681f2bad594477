#include "core/wire/json_peek.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/wire/json_text.hpp"
#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

using nlohmann::json;

const std::vector<std::string> kPaths = {"channel", "type", "data.channel", "2"};

std::vector<std::string> look(std::string_view text) {
  JsonPeek peek(kPaths);
  std::vector<std::string> found;
  for (const std::string_view value : peek.look(text)) found.emplace_back(value);
  return found;
}

std::vector<std::string> found(std::string channel,
                               std::string type,
                               std::string inner = {},
                               std::string place = {}) {
  return {std::move(channel), std::move(type), std::move(inner), std::move(place)};
}

TEST(JsonPeek, FindsTheValuesOfTopLevelKeys) {
  EXPECT_EQ(look(R"({"type":"publish","channel":"lobby","content":"hi"})"),
            found("lobby", "publish"));
  EXPECT_EQ(look(" {\n \"channel\" :\t\"a b\" , \"type\" : \"x\" } "), found("a b", "x"));
  EXPECT_EQ(look(R"({"content":{"channel":"inner","type":"inner"},"channel":"outer"})"),
            found("outer", ""));
  EXPECT_EQ(look(R"({"content":["channel","type",{"channel":"x"}],"type":"t"})"), found("", "t"));
  EXPECT_EQ(look(R"({"content":"\"channel\":\"fake\"","type":"t"})"), found("", "t"));
}

TEST(JsonPeek, FindsValuesBelowAndInArrays) {
  EXPECT_EQ(look(R"({"data":{"x":1,"channel":"inner"},"channel":"outer"})"),
            found("outer", "", "inner"));
  EXPECT_EQ(look(R"(["1","2","room:lobby","phx_join",{}])"), found("", "", "", "room:lobby"));
  EXPECT_EQ(look(R"({"2":"two"})"), found("", "", "", "two"));
  EXPECT_EQ(look(R"([["a","b","c"],{},5])"), found("", "", "", "5"));
}

TEST(JsonPeek, GivesNumbersAsTheyAreWrittenAndNothingForOtherKinds) {
  EXPECT_EQ(look(R"({"channel":42,"type":-1.5e3})"), found("42", "-1.5e3"));
  EXPECT_EQ(look(R"({"channel":null,"type":true})"), found("", ""));
  EXPECT_EQ(look(R"({"channel":{},"type":["x"]})"), found("", ""));
}

TEST(JsonPeek, DecodesEscapesInKeysAndValues) {
  EXPECT_EQ(look(R"({"chan\u006eel":"l\u00f6b\"b\\y\n\/"})"), found("löb\"b\\y\n/", ""));
  EXPECT_EQ(look(R"({"type":"\ud83d\ude00"})"), found("", "😀"));
  EXPECT_EQ(look(R"({"type":"\ud83d x"})"), found("", "\uFFFD x"));
  EXPECT_EQ(look(R"({"type":"\ude00\u12"})"), found("", "\uFFFD\uFFFD12"));
}

TEST(JsonPeek, KeepsTheLastOfEqualKeys) {
  EXPECT_EQ(look(R"({"channel":"a","channel":"b"})"), found("b", ""));
  EXPECT_EQ(look(R"({"channel":"a","channel":null})"), found("", ""));
  EXPECT_EQ(look(R"({"data":{"channel":"a"},"data":{}})"), found("", "", ""));
}

TEST(JsonPeek, CutsLongValuesAtACharacter) {
  std::string longer(255, 'x');
  EXPECT_EQ(look(R"({"channel":")" + longer + "é\"}")[0], longer);
  EXPECT_EQ(look(R"({"channel":"\u0078)" + longer.substr(1) + "é\"}")[0], longer);
}

TEST(JsonPeek, GivesWhatItFoundBeforeATextBreaks) {
  EXPECT_EQ(look(R"({"channel":"a","type)"), found("a", ""));
  EXPECT_EQ(look(R"({"channel":"a",})"), found("a", ""));
  for (const char* nothing : {"",
                              "   ",
                              "hello",
                              "\"channel\"",
                              "5",
                              "{",
                              "[",
                              "{\"channel\"",
                              "{\"channel\":",
                              "{\"channel\":\"a",
                              "{\"channel\":\"a\\",
                              "}{",
                              "{channel:\"a\"}"})
    EXPECT_EQ(look(nothing), found("", "")) << nothing;
}

TEST(JsonPeek, DeepNestingCostsNoStack) {
  std::string text =
      R"({"x":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + R"(,"channel":"a"})";
  EXPECT_EQ(look(text)[0], "a");
  EXPECT_EQ(look(std::string(1'000'000, '[')), found("", ""));
}

TEST(JsonPeek, NamesBadPaths) {
  EXPECT_TRUE(validate_peek_paths(kPaths).empty());
  EXPECT_TRUE(validate_peek_paths({}).empty());
  for (const std::string& bad : {std::string(),
                                 std::string("a."),
                                 std::string(".a"),
                                 std::string("a..b"),
                                 std::string("a.b.c.d.e"),
                                 std::string(64, 'x')})
    EXPECT_EQ(validate_peek_paths(std::vector<std::string>{bad}).size(), 1u) << bad;
  EXPECT_EQ(validate_peek_paths(std::vector<std::string>(5, "a")).size(), 1u);
}

/// What a whole parser says, in the words of the contract.
std::string expected(const json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return std::string(cut_at_character(text, kPeekValueBytesMax));
  }
  return value.is_number() ? value.dump() : "";
}

std::string at_key(const json& value, const std::string& key) {
  return value.is_object() && value.contains(key) ? expected(value[key]) : "";
}

std::vector<std::string> by_parser(const json& value) {
  const bool nested = value.is_object() && value.contains("data");
  const json data = nested ? value["data"] : json();
  const std::string third =
      value.is_array() && value.size() > 2 ? expected(value[2]) : at_key(value, "2");
  return {at_key(value, "channel"), at_key(value, "type"), at_key(data, "channel"), third};
}

json arbitrary_json(int depth);

std::string arbitrary_text() {
  return *rc::gen::oneOf(
      rc::gen::element<std::string>("channel", "type", "data", "2", "x"),
      rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                       "a", "\"", "\\", "\n", "é", "😀", "{", "}", ",", "\x01")),
                   [](const std::vector<std::string>& pieces) {
                     std::string text;
                     for (const std::string& piece : pieces) text += piece;
                     return text;
                   }));
}

json arbitrary_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
    case 0:
      return arbitrary_text();
    case 1:
      return *rc::gen::inRange(-1000, 1000);
    case 2:
      return *rc::gen::arbitrary<bool>();
    case 3:
      return nullptr;
    case 4: {
      json array = json::array();
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i) array.push_back(arbitrary_json(depth - 1));
      return array;
    }
    default: {
      json object = json::object();
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i)
        object[arbitrary_text()] = arbitrary_json(depth - 1);
      return object;
    }
  }
}

RC_GTEST_PROP(JsonPeek, AgreesWithAWholeParser, ()) {
  const json value = arbitrary_json(4);
  const int indent = *rc::gen::inRange(-1, 3);
  const std::string text = value.dump(indent, ' ', *rc::gen::arbitrary<bool>());
  RC_ASSERT(look(text) == by_parser(value));
}

RC_GTEST_PROP(JsonPeek, AgreesWithAWholeParserOnDamagedTextThatIsStillJson, ()) {
  std::string text = arbitrary_json(4).dump();
  text[*rc::gen::inRange<std::size_t>(0, text.size())] =
      *rc::gen::element('"', '\\', '{', '}', '[', ']', ',', ':', ' ', '1', 'a');
  const std::vector<std::string> values = look(text);
  const json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) RC_ASSERT(values == by_parser(value));
}

}  // namespace
}  // namespace liminal::wire
