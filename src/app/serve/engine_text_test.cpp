#include "app/serve/engine_text.hpp"

#include <gtest/gtest.h>

namespace liminal::app {
namespace {

TEST(EngineText, GivesTheSameOptionsBack) {
  engine::Options options;
  options.limits.mode = traffic::Mode::kEnforce;
  options.limits.user.messages = {.per_second = 1.1, .burst = 7};
  options.limits.user.bytes.mode = traffic::Mode::kObserve;
  options.limits.allow_users = {"a \"friend\"", "another"};
  options.detect.profile = detect::Profile::kGame;
  options.detect.rules.erase(options.detect.rules.begin());
  options.detect.rules.front().threshold = .1F;
  options.detect.rules.front().mode = traffic::Mode::kObserve;
  options.detect.statistics[4].line_factor = 1.3F;
  options.alerts.calm = std::chrono::minutes{3};
  options.users_max = 1'000;
  options.row_interval = std::chrono::milliseconds{1'500};

  const std::string text = engine_text(options);
  const Result<engine::Options> read = engine_options_of(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(engine_text(*read), text);
  EXPECT_EQ(read->limits.mode, traffic::Mode::kEnforce);
  EXPECT_EQ(read->limits.user.messages.per_second, 1.1);
  EXPECT_EQ(read->limits.user.bytes.mode, traffic::Mode::kObserve);
  EXPECT_EQ(read->limits.allow_users, options.limits.allow_users);
  EXPECT_EQ(read->detect.profile, detect::Profile::kGame);
  ASSERT_EQ(read->detect.rules.size(), options.detect.rules.size());
  EXPECT_EQ(read->detect.rules.front().threshold, .1F);
  EXPECT_EQ(read->detect.rules.front().mode, traffic::Mode::kObserve);
  EXPECT_EQ(read->detect.statistics[4].line_factor, 1.3F);
  EXPECT_EQ(read->alerts.calm, options.alerts.calm);
  EXPECT_EQ(read->users_max, 1'000u);
  EXPECT_EQ(read->row_interval, options.row_interval);
}

TEST(EngineText, OfOtherSoftwareIsRefused) {
  EXPECT_FALSE(engine_options_of("[detect]\nfortune = true\n"));
}

}  // namespace
}  // namespace liminal::app
