#include "server/api/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::api {
namespace {

using ::testing::ElementsAre;

bool match(std::string_view pattern, std::string_view path, std::vector<std::string>& captured) {
  const auto segments = split_path(path);
  return segments && matches(pattern, *segments, captured);
}

TEST(Router, DecodesSegmentsAfterItHasSplitThem) {
  EXPECT_THAT(*split_path("/ml/users/a%2Fb%20c"), ElementsAre("ml", "users", "a/b c"));
  EXPECT_THAT(*split_path("/"), ElementsAre(""));
  EXPECT_THAT(*split_path("/ml/"), ElementsAre("ml", ""));
  EXPECT_FALSE(split_path("/ml/%zz"));
}

TEST(Router, MatchesTheWholePathAndCapturesNames) {
  std::vector<std::string> captured;
  EXPECT_TRUE(match("/ml/anomalies/{id}/explain", "/ml/anomalies/17-42/explain", captured));
  EXPECT_THAT(captured, ElementsAre("17-42"));
  EXPECT_TRUE(match("/ml/limits", "/ml/limits", captured));
  EXPECT_TRUE(captured.empty());
  for (const char* path : {"/ml/limits/", "/ml/limits/a/b", "/ml", "/", "/ml/limit", "/ML/limits"})
    EXPECT_FALSE(match("/ml/limits", path, captured)) << path;
  EXPECT_FALSE(match("/ml/users/{user_id}", "/ml/users/", captured));
}

}  // namespace
}  // namespace liminal::api
