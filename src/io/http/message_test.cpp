#include "io/http/message.hpp"

#include <gtest/gtest.h>

namespace liminal::http {
namespace {

TEST(Headers, AreFoundWhateverTheirCase) {
  const std::vector<Header> headers{{"Content-Type", "a"}, {"content-type", "b"}};
  EXPECT_EQ(find_header(headers, "CONTENT-TYPE"), "a");
  EXPECT_FALSE(find_header(headers, "Content"));
}

TEST(Target, IsSplitAndItsQueryDecoded) {
  const auto target = parse_target("/ml/users/a%2Fb?limit=5&&note=x+y%26&verbose");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/ml/users/a%2Fb");
  const std::vector<std::pair<std::string, std::string>> expected{
      {"limit", "5"}, {"note", "x y&"}, {"verbose", ""}};
  EXPECT_EQ(target->query, expected);
}

TEST(Target, RefusesOtherForms) {
  for (const char* text :
       {"", "*", "http://x/", "x", "/a?b=%", "/a?b=%g0", "/a?%00", "/a#b", "/\\"})
    EXPECT_FALSE(parse_target(text)) << text;
}

TEST(PercentDecode, GivesBytesAndRefusesBadEscapes) {
  EXPECT_EQ(percent_decode("a%20b%C3%A9+"), "a b\xc3\xa9+");
  for (const char* text : {"%", "%2", "%2x", "%00", "a%"})
    EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(HttpMessage, EscapesWhatIsNotPlainAndReadsItBack) {
  EXPECT_EQ(percent_encode("a-b._~/ \xc3\xa9"), "a-b._~%2F%20%C3%A9");
  EXPECT_EQ(percent_decode(percent_encode("a/b?c&d%")), "a/b?c&d%");
}

TEST(HttpMessage, TakesAContentTypeApart) {
  EXPECT_EQ(media_type("text/plain"), "text/plain");
  EXPECT_EQ(media_type(" text/plain ; charset=utf-8"), "text/plain");
  EXPECT_EQ(media_type(""), "");
  const std::string_view type = "application/x-protobuf; a;proto = \"b.C\" ;last=1";
  EXPECT_EQ(media_parameter(type, "PROTO"), "b.C");
  EXPECT_EQ(media_parameter(type, "last"), "1");
  EXPECT_EQ(media_parameter(type, "a"), std::nullopt);
  EXPECT_EQ(media_parameter("text/plain", "last"), std::nullopt);
  EXPECT_EQ(media_parameter("text/plain;", "last"), std::nullopt);
}

}  // namespace
}  // namespace liminal::http
