#include "app/serve/cluster_limits.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <type_traits>
#include <vector>

#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {
namespace {

using traffic::Mode;

traffic::Override block(std::string user, std::string reason = "spam") {
  return {.user = std::move(user),
          .kind = traffic::Override::Kind::kBlock,
          .reason = std::move(reason),
          .created = SteadyTime{std::chrono::seconds{1}},
          .expires = {}};
}

/// As the cluster tells its limits.
std::string told(std::uint32_t burst,
                 Mode mode = Mode::kShadow,
                 const std::vector<traffic::Override>& overrides = {},
                 bool set = true) {
  limits::Options options;
  options.mode = mode;
  options.user.messages.burst = burst;
  json::Writer out;
  out.begin_object();
  out.key("policies");
  api::write_policies(options, out);
  out.field("set", set);
  out.key("overrides");
  out.begin_array();
  for (const traffic::Override& one : overrides) json::write(one, out);
  out.end_array();
  out.field("count", overrides.size());
  out.end_object();
  return out.text();
}

class ClusterLimitsTest : public ::testing::Test {
 protected:
  ClusterLimitsTest() {
    present.mode = Mode::kEnforce;
    present.allow_users = {"vip"};
  }

  /// A gateway.
  template <class T>
  void carry_out(const ClusterLimits::Done<T>& done, const std::function<T()>& what) {
    if (fails) return done(failure(ErrorCode::kUnavailable));
    if constexpr (std::is_void_v<T>) {
      what();
      done({});
    } else {
      done(what());
    }
  }
  [[nodiscard]] std::vector<traffic::Override> held() const {
    std::vector<traffic::Override> all;
    for (const auto& [user, one] : overrides) all.push_back(one);
    return all;
  }

  limits::Options present;
  std::map<std::string, traffic::Override> overrides;
  std::size_t set = 0;
  bool fails = false;
  std::vector<bool> notes;
  ClusterLimits limits{
      {.in_force = [this] { return present; },
       .set =
           [this](limits::Options wanted, ClusterLimits::Done<void> done) {
             carry_out<void>(done, [&] {
               ++set;
               present = std::move(wanted);
             });
           },
       .overrides =
           [this](ClusterLimits::Done<std::vector<traffic::Override>> done) { done(held()); },
       .set_override =
           [this](traffic::Override one, ClusterLimits::Done<bool> done) {
             carry_out<bool>(
                 done, [&] { return overrides.insert_or_assign(one.user, std::move(one)).second; });
           },
       .remove_override =
           [this](std::string user, ClusterLimits::Done<void> done) {
             carry_out<void>(done, [&] { overrides.erase(user); });
           },
       .note = [this](bool well, const std::string&) { notes.push_back(well); }}};
};

TEST_F(ClusterLimitsTest, HoldHereButForTheModeAndWhatPoliciesAreNot) {
  EXPECT_EQ(limits.take(told(7, Mode::kObserve)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 7U);
  EXPECT_EQ(present.mode, Mode::kEnforce);
  EXPECT_EQ(present.allow_users, std::vector<std::string>{"vip"});
  EXPECT_EQ(notes, std::vector<bool>{true});
}

TEST_F(ClusterLimitsTest, AreSetWhenTheyBecomeOthersAndNotAgain) {
  for (const Mode mode : {Mode::kShadow, Mode::kShadow, Mode::kEnforce})
    EXPECT_EQ(limits.take(told(7, mode)), std::nullopt);
  EXPECT_EQ(set, 1U);
  present.user.messages.burst = 9;  // an operator's, here
  EXPECT_EQ(limits.take(told(7)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 9U);
  EXPECT_EQ(limits.take(told(8)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 8U);
  EXPECT_EQ(set, 2U);
}

TEST_F(ClusterLimitsTest, AreTheClustersOwnWhereNobodySetThem) {
  present.user.messages.burst = 3;  // the configuration's
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann")}, false)), std::nullopt);
  EXPECT_EQ(set, 0U);
  EXPECT_TRUE(overrides.contains("ann")) << "overrides are always somebody's";
  EXPECT_EQ(limits.take(told(7)), std::nullopt);
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {}, false)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 7U) << "taken back there, it stays here";
  present.user.messages.burst = 3;
  EXPECT_EQ(limits.take(told(7)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 7U) << "and is news when it is set again";
}

TEST_F(ClusterLimitsTest, ThatHoldHereAlreadyChangeNothing) {
  EXPECT_EQ(limits.take(told(present.user.messages.burst)), std::nullopt);
  EXPECT_EQ(set, 0U);
}

TEST_F(ClusterLimitsTest, ThatCouldNotBeSetAreSetTheNextTime) {
  fails = true;
  EXPECT_EQ(limits.take(told(7)), std::nullopt);
  fails = false;
  EXPECT_EQ(limits.take(told(7)), std::nullopt);
  EXPECT_EQ(present.user.messages.burst, 7U);
  EXPECT_EQ(notes, (std::vector<bool>{false, true}));
}

TEST_F(ClusterLimitsTest, ThatMakeNoSenseAreRefusedWithWords) {
  for (const char* wrong : {"", "[]", "{}", R"({"policies":{}})", R"({"policies":null})"})
    EXPECT_TRUE(limits.take(wrong)) << wrong;
  EXPECT_TRUE(limits.take(told(0))) << "no burst";
  EXPECT_TRUE(limits.take(told(7, Mode::kShadow, {block("")}))) << "nobody";
  EXPECT_EQ(set, 0U);
  EXPECT_TRUE(overrides.empty());
}

TEST_F(ClusterLimitsTest, ComeWithOverridesWhoseReasonSaysWhoseTheyAre) {
  auto rate = block("bob", "slow down");
  rate.kind = traffic::Override::Kind::kRate;
  rate.messages_per_second = .5;
  rate.burst = 3;
  rate.expires = SteadyTime{std::chrono::hours{1'000'000}};
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann"), rate})), std::nullopt);
  ASSERT_EQ(overrides.size(), 2U);
  EXPECT_EQ(overrides["ann"].reason, "cluster: spam");
  EXPECT_EQ(overrides["ann"].kind, traffic::Override::Kind::kBlock);
  EXPECT_EQ(overrides["ann"].created, block("ann").created);
  EXPECT_EQ(overrides["bob"].messages_per_second, .5);
  EXPECT_EQ(overrides["bob"].burst, 3U);
  EXPECT_EQ(overrides["bob"].expires, rate.expires);
}

TEST_F(ClusterLimitsTest, TakeBackTheClustersOverridesAlone) {
  overrides = {{"own", block("own", "ours")}, {"gone", block("gone", "cluster: of before")}};
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann"), block("own", "theirs")})),
            std::nullopt);
  EXPECT_EQ(overrides["own"].reason, "ours");
  EXPECT_FALSE(overrides.contains("gone"));
  overrides.erase("ann");  // an operator's word, here
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann"), block("own", "theirs")})),
            std::nullopt);
  EXPECT_FALSE(overrides.contains("ann"));
  EXPECT_EQ(limits.take(told(20)), std::nullopt);
  EXPECT_EQ(overrides.size(), 1U);
}

TEST_F(ClusterLimitsTest, TryOverridesAgainThatCouldNotBeSet) {
  fails = true;
  for (int turn = 0; turn < 2; ++turn)
    EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann")})), std::nullopt);
  EXPECT_TRUE(overrides.empty());
  fails = false;
  EXPECT_EQ(limits.take(told(20, Mode::kShadow, {block("ann")})), std::nullopt);
  EXPECT_EQ(overrides.size(), 1U);
}

TEST(OverrideChanges, LeaveOutWhatIsTheSameAndWhatMayStillBeThere) {
  auto same = block("same", "cluster: spam"), later = same;
  later.created += std::chrono::seconds{5};
  const auto changes = override_changes(
      {later, block("other", "cluster: new")},
      false,
      {same, block("other", "cluster: old"), block("beyond the list", "cluster: spam")});
  ASSERT_EQ(changes.set.size(), 1U);
  EXPECT_EQ(changes.set[0].user, "other");
  EXPECT_TRUE(changes.remove.empty());
}

}  // namespace
}  // namespace liminal::app
