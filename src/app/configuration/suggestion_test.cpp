#include "app/configuration/suggestion.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

namespace liminal::app {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abc", "acb"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

RC_GTEST_PROP(EditDistance,
              IsSymmetricAndAtMostTheLongerText,
              (const std::string& a, const std::string& b)) {
  RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
  RC_ASSERT(edit_distance(a, b) <= std::max(a.size(), b.size()));
  RC_ASSERT((edit_distance(a, b) == 0) == (a == b));
}

TEST(Suggestion, IsTheNearestWordAndNoneWhenNothingIsNear) {
  constexpr std::array<std::string_view, 4> kWords{"listen", "alerts.calm", "api.address", "mode"};
  EXPECT_EQ(suggestion("lisen", kWords), "listen");
  EXPECT_EQ(suggestion("alert.calm", kWords), "alerts.calm");
  EXPECT_EQ(suggestion("calm", kWords), "alerts.calm");
  EXPECT_FALSE(suggestion("zebra_crossing", kWords));
  EXPECT_FALSE(suggestion("xyz", kWords));
}

TEST(KeySuggestion, FindsTheKeyOfAnotherTable) {
  constexpr std::array<std::string_view, 5> kKeys{"listen",
                                                  "gateway.idle_timeout",
                                                  "limits.user.messages",
                                                  "limits.user.messages.burst",
                                                  "mode"};
  EXPECT_EQ(key_suggestion("gateway.lisen", kKeys), "listen");
  EXPECT_EQ(key_suggestion("log.idle_timout", kKeys), "gateway.idle_timeout");
  EXPECT_EQ(key_suggestion("limits.user.mesages", kKeys), "limits.user.messages");
  EXPECT_EQ(key_suggestion("messages", kKeys), "limits.user.messages");
  EXPECT_FALSE(key_suggestion("hub.colour", kKeys));
  EXPECT_FALSE(key_suggestion("a", kKeys));
}

}  // namespace
}  // namespace liminal::app
