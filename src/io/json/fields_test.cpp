#include "io/json/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::json {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(Parse, KeepsEveryKindOfValue) {
  const auto value = parse(R"({"a":[null,true,-1,18446744073709551615,1.5,"x"],"b":{}})");
  ASSERT_TRUE(value);
  const auto& members = *value->as<Value::Object>();
  const auto& items = *members[0].second.as<Value::Array>();
  EXPECT_TRUE(items[0].as<std::nullptr_t>());
  EXPECT_EQ(*items[1].as<bool>(), true);
  EXPECT_EQ(*items[2].as<std::int64_t>(), -1);
  EXPECT_EQ(*items[3].as<std::uint64_t>(), ~std::uint64_t{0});
  EXPECT_EQ(*items[4].as<double>(), 1.5);
  EXPECT_EQ(*items[5].as<std::string>(), "x");
}

TEST(Parse, RefusesWhatIsNoJsonOrTooDeep) {
  for (const char* text : {"", "{", "{}x", "{'a':1}", "\"\xff\""})
    EXPECT_EQ(parse(text).error().code, ErrorCode::kMalformed) << text;
  EXPECT_EQ(parse(std::string(100, '[') + std::string(100, ']')).error().code,
            ErrorCode::kTooLarge);
}

TEST(Fields, ReadsWhatIsRight) {
  const auto value = parse(
      R"({"name":"ann","rate":2,"count":3.0,"at":1.5,"when":"1970-01-01T00:00:02Z","none":null,"yes":true,)"
      R"("inner":{"x":1}})");
  Problems problems;
  Fields in(*value, "", problems);
  EXPECT_EQ(in.text("name", Need::kRequired, 1, 3), "ann");
  EXPECT_EQ(in.number("rate", Need::kRequired, 0, 2), 2);
  EXPECT_EQ(in.whole("count", Need::kRequired, 3), 3U);
  EXPECT_EQ(in.time("at", Need::kRequired), EventTime{1500ms});
  EXPECT_EQ(in.time("when", Need::kRequired), EventTime{2s});
  EXPECT_TRUE(in.is_null("none"));
  EXPECT_EQ(in.flag("yes", Need::kRequired), true);
  EXPECT_FALSE(in.flag("absent", Need::kOptional));
  EXPECT_FALSE(in.is_null("absent"));
  auto inner = in.object("inner", Need::kRequired);
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->whole("x", Need::kRequired, 0), 1U);
  inner->finish();
  in.finish();
  EXPECT_TRUE(problems.empty());
}

TEST(Fields, CollectsEveryProblemWithItsPath) {
  const auto value = parse(
      R"({"name":"","rate":"2","count":1.5,"at":-1,"twice":1,"twice":2,"inner":{"y":1},"odd":[]})");
  Problems problems;
  Fields in(*value, "", problems);
  EXPECT_FALSE(in.text("name", Need::kRequired, 1, 3));
  EXPECT_FALSE(in.number("rate", Need::kRequired, 0, 2));
  EXPECT_FALSE(in.whole("count", Need::kRequired, 0, 5));
  EXPECT_FALSE(in.time("at", Need::kRequired));
  EXPECT_FALSE(in.text("missing", Need::kRequired, 1, 3));
  EXPECT_FALSE(in.text("absent", Need::kOptional, 1, 3));
  static_cast<void>(in.whole("twice", Need::kOptional, 0));
  auto inner = in.object("inner", Need::kRequired);
  EXPECT_FALSE(inner->whole("x", Need::kRequired, 0));
  inner->finish();
  in.finish();
  EXPECT_THAT(
      problems,
      ElementsAre(Problem{"twice", "given twice"},
                  Problem{"name", "must be text of 1 to 3 bytes"},
                  Problem{"rate", "must be a number from 0 to 2"},
                  Problem{"count", "must be a whole number from 0 to 5"},
                  Problem{"at", "must be RFC 3339 or seconds since the epoch, from 1970 to 2200"},
                  Problem{"missing", "is missing"},
                  Problem{"inner.x", "is missing"},
                  Problem{"inner.y", "unknown field"},
                  Problem{"odd", "unknown field"}));
}

TEST(Fields, AreNotReadFromWhatIsNoObject) {
  const auto value = parse("[1]");
  Problems problems;
  Fields in(*value, "", problems);
  EXPECT_FALSE(in.text("name", Need::kRequired, 1, 3));
  in.finish();
  EXPECT_THAT(problems, ElementsAre(Problem{"", "must be a JSON object"}));
}

}  // namespace
}  // namespace liminal::json
