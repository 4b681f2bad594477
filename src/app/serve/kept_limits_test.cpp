#include "app/serve/kept_limits.hpp"

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
  const KeptLimits limits(configured(), kept_text(put(), Mode::kShadow));
  EXPECT_EQ(policies(limits.in_force()), policies(put()));
  EXPECT_EQ(limits.in_force().allow_users, configured().allow_users);
  EXPECT_FALSE(limits.in_force().controller.enabled);
  EXPECT_EQ(limits.text(), kept_text(put(), Mode::kShadow)) << "nothing else is to be kept";
}

TEST(KeptLimits, AModeThatIsConfiguredAnewOverrulesTheirs) {
  limits::Options later = configured();
  later.mode = Mode::kObserve;
  KeptLimits limits(configured(), kept_text(put(), Mode::kShadow));
  limits.configure(later);
  EXPECT_EQ(limits.in_force().mode, Mode::kObserve);
  EXPECT_EQ(limits.in_force().user.messages.burst, 7u);
  limits.configure(configured());
  EXPECT_EQ(limits.in_force().mode, Mode::kShadow) << "what was overruled does not come back";
  const KeptLimits again(later, kept_text(put(), Mode::kShadow));
  EXPECT_EQ(KeptLimits(configured(), again.text()).in_force().mode, Mode::kShadow)
      << "not over restarts either";
}

TEST(KeptLimits, TakenBackLeaveTheConfigurations) {
  KeptLimits limits(configured(), kept_text(put(), Mode::kShadow));
  limits.keep(std::nullopt);
  EXPECT_EQ(policies(limits.in_force()), policies(configured()));
  EXPECT_FALSE(limits.text());
}

TEST(KeptLimits, OfEarlierVersionsHaveTheConfigurationsMode) {
  const KeptLimits limits(configured(), policies(put()));
  EXPECT_EQ(limits.in_force().mode, Mode::kShadow);
  EXPECT_EQ(limits.in_force().user.messages.per_second, 2.5);
}

TEST(KeptLimits, ThatCannotBeReadGiveWayToTheConfigurations) {
  for (const char* broken : {"", "{", "{}", "[]", R"({"policies":{}})"}) {
    const KeptLimits limits(configured(), broken);
    EXPECT_EQ(policies(limits.in_force()), policies(configured())) << broken;
    EXPECT_EQ(limits.text(), broken) << "it is left to who can read it";
  }
  EXPECT_EQ(policies(KeptLimits(configured(), std::nullopt).in_force()), policies(configured()));
}

}  // namespace
}  // namespace liminal::app
