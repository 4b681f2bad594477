#include "app/configuration/changes.hpp"

#include <gmock/gmock.h>

namespace liminal::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Changes, ThatNeedARestartAreThoseOfTheTable) {
  Configuration present;
  Configuration wanted = present;
  wanted.mode = traffic::Mode::kEnforce;
  wanted.gateway.idle_timeout *= 2;
  EXPECT_THAT(needs_restart(present, wanted), IsEmpty()) << "a reload takes them over";
  wanted.listen = "127.0.0.1:1";
  wanted.time_scale = 2;
  wanted.scaling.grpc = "127.0.0.1:9090";
  EXPECT_THAT(needs_restart(present, wanted), ElementsAre("listen", "time_scale", "scaling.grpc"));
  EXPECT_THAT(needs_restart(wanted, wanted), IsEmpty());
}

TEST(Changes, OfActorsNeedARestartButForTheirModes) {
  Configuration present;
  present.scaling.actors.resize(2);
  present.scaling.actors[0].target.service = "chat";
  Configuration wanted = present;
  wanted.scaling.actors[0].target.mode = traffic::Mode::kEnforce;
  EXPECT_THAT(needs_restart(present, wanted), IsEmpty());
  Configuration moved = wanted;
  moved.scaling.actors[0].target.token = "another";
  EXPECT_THAT(needs_restart(present, moved), ElementsAre("scaling.actors"));
  moved = wanted;
  moved.scaling.actors[1].token_file = "another";
  EXPECT_THAT(needs_restart(present, moved), ElementsAre("scaling.actors"));
  moved = wanted;
  moved.scaling.actors.pop_back();
  EXPECT_THAT(needs_restart(present, moved), ElementsAre("scaling.actors"));
}

TEST(Changes, AreDescribedWithoutSecrets) {
  Configuration before;
  Configuration after = before;
  EXPECT_EQ(describe_changes(before, after), "");
  after.limits.user.messages.per_second = 5;
  after.api.token = "hunter2";
  after.detect.rules[0].threshold += 1;
  after.scaling.actors.resize(1);
  EXPECT_EQ(describe_changes(before, after),
            "api.token, limits.user.messages.per_second: 10 -> 5, detect.rules, scaling.actors");
  after.limits.allow_users.assign(500, "somebody");
  EXPECT_THAT(describe_changes(before, after), ::testing::HasSubstr(" limits.allow_users,"));
  for (detect::StatisticOptions& each : after.detect.statistics) each.line_factor = 2;
  after.identity.order = after.identity.trusted_proxies = {std::string(90, 'x')};
  after.data = after.listen = std::string(90, 'x');
  EXPECT_LE(describe_changes(before, after).size(), 1'000u);
  EXPECT_THAT(describe_changes(before, after), ::testing::EndsWith(", …"));
}

}  // namespace
}  // namespace liminal::app
