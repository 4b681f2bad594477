#include "server/uplink/champions.hpp"

#include <gtest/gtest.h>

namespace liminal::uplink {
namespace {

TEST(Champions, AreReadFromTheListOfModels) {
  const auto read = read_champions(R"({"models":[
      {"name":"a","champion":2,"challenger":1,"versions":[
        {"version":2,"onnx_sha256":"bb","more":[1]},{"version":1,"onnx_sha256":"aa"}]},
      {"name":"b","champion":null,"versions":[]}]})");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (std::vector<Champion>{{"a", 2, "bb"}}));
}

TEST(Champions, AreNoneOfWhatMakesNoSense) {
  for (const char* text : {"",
                           "[]",
                           "{}",
                           R"({"models":{}})",
                           R"({"models":[1]})",
                           R"({"models":[{"name":"a","champion":2,"versions":[]}]})",
                           R"({"models":[{"name":"a","champion":"x","versions":[]}]})",
                           R"({"models":[{"name":"a","champion":1,"versions":[{"version":1}]}]})"})
    EXPECT_FALSE(read_champions(text)) << text;
}

}  // namespace
}  // namespace liminal::uplink
