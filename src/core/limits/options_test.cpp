#include "core/limits/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/limits/policies.hpp"

namespace liminal::limits {
namespace {

using testing::Field;
using testing::UnorderedElementsAre;
using traffic::Override;

auto key(const std::string& path) { return Field(&Problem::key, path); }

TEST(Options, DefaultsAreValidAndShadowing) {
  const Options defaults;
  EXPECT_TRUE(validate(defaults).empty());
  const Policies policies(defaults);
  EXPECT_EQ(policies.user[0].mode, Mode::kShadow);
  EXPECT_EQ(policies.user[0].gcra.per_second(), 10);
  EXPECT_EQ(policies.user[0].gcra.burst, 20u);
  EXPECT_EQ(policies.address[0].gcra.per_second(), 100);
  EXPECT_EQ(policies.user_connections.max, 10u);
  EXPECT_EQ(policies.address_connections.max, 50u);
  EXPECT_EQ(policies.message_bytes.max, 65'536u);
}

TEST(Options, NamesAllProblemsWithTheirPaths) {
  Options options;
  options.user.messages = {.per_second = -1, .burst = 0};
  options.address.bytes = {.per_second = 1000, .burst = 100};
  options.connection.messages = {.per_second = 1, .burst = 86'401};
  options.delay_max = std::chrono::hours{1};
  options.allow_users = {"ann", ""};
  options.controller.floor_ratio = 0;
  options.controller.worst_score = .5;
  options.controller.recover = Duration::zero();
  EXPECT_THAT(validate(options),
              UnorderedElementsAre(key("limits.user.messages.per_second"),
                                   key("limits.user.messages.burst"),
                                   key("limits.address.bytes.burst"),
                                   key("limits.connection.messages.burst"),
                                   key("limits.delay_max"),
                                   key("limits.allow_users[1]"),
                                   key("limits.controller.floor_ratio"),
                                   key("limits.controller.worst_score"),
                                   key("limits.controller.recover")));
}

TEST(Options, NotANumberIsAProblemEverywhere) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Options options;
  options.user.messages.per_second = nan;
  options.controller.floor_ratio = options.controller.ceiling_ratio = nan;
  options.controller.calm_score = options.controller.worst_score = nan;
  options.controller.personal_quantile = options.controller.personal_headroom = nan;
  options.controller.personal_floor_ratio = nan;
  EXPECT_EQ(validate(options, "").size(), 8u);
}

TEST(Options, APolicysOwnModeBeatsTheCommonOne) {
  Options options;
  options.user.messages.mode = Mode::kEnforce;
  const Policies policies(options);
  EXPECT_EQ(policies.user[0].mode, Mode::kEnforce);
  EXPECT_EQ(policies.user[1].mode, Mode::kShadow);
}

TEST(OverrideProblems, AreNamedAllAtOnce) {
  Override override;
  override.created = SteadyTime{std::chrono::hours{1}};
  override.expires = override.created;
  EXPECT_THAT(
      validate(override),
      UnorderedElementsAre(
          key("user_id"), key("reason"), key("expires"), key("messages_per_second"), key("burst")));
  override = {.user = "ann",
              .kind = Override::Kind::kRate,
              .messages_per_second = .5,
              .burst = 5,
              .reason = "asked for it",
              .created = {},
              .expires = {}};
  EXPECT_TRUE(validate(override).empty());
}

TEST(OverridePolicy, HoldsWhatNobodyCanHaveMeantToTheRange) {
  for (const double rate : {std::numeric_limits<double>::quiet_NaN(), -1., 0., 1e300, 1e-300}) {
    Override override;
    override.messages_per_second = rate;
    override.burst = 4'000'000'000;
    const GcraPolicy policy = policy_of(override);
    EXPECT_GT(policy.period, Duration::zero());
    EXPECT_GE(policy.burst, 1u);
    EXPECT_GE(policy.allowance(), policy.period);
  }
}

}  // namespace
}  // namespace liminal::limits
