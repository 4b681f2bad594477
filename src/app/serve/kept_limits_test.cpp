#include "app/serve/kept_limits.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {
namespace {

using traffic::Mode;

limits::Options configured() {
  limits::Options options;
  options.allow_users = {"vip"};
  options.controller.enabled = false;
  return options;
}

std::string policies(const limits::Options& options) {
  json::Writer out;
  api::write_policies(options, out);
  return out.text();
}

/// What somebody put, who knew of no allow list.
limits::Options put() {
  limits::Options options;
  options.mode = Mode::kEnforce;
  options.user.messages = {.per_second = 2.5, .burst = 7, .mode = Mode::kObserve};
  return options;
}

TEST(KeptLimits, AreWhatAPutCanSetAndTheRestIsTheConfigurations) {
  const auto in_force = kept_over(kept_text(put(), Mode::kShadow), configured());
  ASSERT_TRUE(in_force);
  EXPECT_EQ(policies(*in_force), policies(put()));
  EXPECT_EQ(in_force->allow_users, configured().allow_users);
  EXPECT_FALSE(in_force->controller.enabled);
}

TEST(KeptLimits, AModeThatIsConfiguredAnewOverrulesTheirs) {
  limits::Options later = configured();
  later.mode = Mode::kObserve;
  const auto in_force = kept_over(kept_text(put(), Mode::kShadow), later);
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->mode, Mode::kObserve);
  EXPECT_EQ(in_force->user.messages.burst, 7u);
}

TEST(KeptLimits, OfEarlierVersionsHaveTheConfigurationsMode) {
  const auto in_force = kept_over(policies(put()), configured());
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->mode, Mode::kShadow);
  EXPECT_EQ(in_force->user.messages.per_second, 2.5);
}

TEST(KeptLimits, ThatCannotBeReadGiveWayToTheConfigurations) {
  Log log(LogLevel::kError, LogFormat::kText, ::open("/dev/null", O_WRONLY | O_CLOEXEC));
  for (const char* broken : {"", "{", "{}", "[]", R"({"policies":{}})"}) {
    EXPECT_FALSE(kept_over(broken, configured())) << broken;
    EXPECT_EQ(policies(limits_in_force(broken, configured(), log)), policies(configured()));
  }
  EXPECT_EQ(policies(limits_in_force(std::nullopt, configured(), log)), policies(configured()));
}

}  // namespace
}  // namespace liminal::app
