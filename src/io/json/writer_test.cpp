#include "io/json/writer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include <limits>

namespace liminal::json {
namespace {

using namespace std::chrono_literals;

TEST(Writer, WritesObjectsArraysAndEveryKindOfValue) {
  Writer out;
  out.begin_object();
  out.field("text", "a\"\\\n\x01\x7f");
  out.field("numbers", 1.5);
  out.key("list");
  out.begin_array();
  out.value(1);
  out.value(std::uint64_t{18446744073709551615ULL});
  out.value(-7L);
  out.value(.1F);
  out.value(true);
  out.null();
  out.begin_object();
  out.end_object();
  out.end_array();
  out.field("time", SteadyTime{1s});
  out.field("nothing", std::optional<int>{});
  out.key("empty");
  out.value_or_null("");
  out.end_object();
  EXPECT_EQ(out.text(),
            R"({"text":"a\"\\\n\u0001\u007f","numbers":1.5,)"
            R"("list":[1,18446744073709551615,-7,0.1,true,null,{}],)"
            R"("time":"1970-01-01T00:00:01.000Z","nothing":null,"empty":null})");
}

TEST(Writer, WritesNullForWhatIsNoNumber) {
  Writer out;
  out.begin_array();
  out.value(std::numeric_limits<double>::quiet_NaN());
  out.value(std::numeric_limits<float>::infinity());
  out.end_array();
  EXPECT_EQ(out.text(), "[null,null]");
}

TEST(Writer, ReplacesWhatIsNoUtf8) {
  // A lone continuation, an overlong form, a surrogate, beyond U+10FFFF, a cut sequence.
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    std::string out;
    append_quoted(bad, out);
    EXPECT_EQ(out.find_first_not_of("\"\xef\xbf\xbd"), std::string::npos) << bad;
  }
  std::string good;
  append_quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", good);
  EXPECT_EQ(good, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

RC_GTEST_PROP(Writer, EveryTextReadsBack, (const std::string& text)) {
  std::string quoted;
  append_quoted(text, quoted);
  simdjson::dom::parser parser;
  std::string_view read;
  RC_ASSERT(parser.parse(quoted).get_string().get(read) == simdjson::SUCCESS);
  if (simdjson::validate_utf8(text)) RC_ASSERT(read == text);
}

RC_GTEST_PROP(Writer, EveryNumberReadsBackAsTheSame, (double number)) {
  Writer out;
  out.value(number);
  simdjson::dom::parser parser;
  double read = 0;
  RC_ASSERT(parser.parse(out.text()).get_double().get(read) == simdjson::SUCCESS);
  RC_ASSERT(read == number);
}

}  // namespace
}  // namespace liminal::json
