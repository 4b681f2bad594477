#include "core/detect/rules.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/detect/testing.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::detect {
namespace {

using testing::at;
using traffic::EventKind;
using traffic::FeatureId;
using traffic::FindingType;

class RulesTest : public ::testing::Test {
 protected:
  std::vector<traffic::Finding> look(double t, EventKind kind = EventKind::kMessage) {
    Findings found;
    Rules(options).evaluate(
        kind, state, [this](FeatureId id) { return features[id]; }, at(t), population, found);
    standing.assign(found.standing().begin(), found.standing().end());
    return {found.begin(), found.end()};
  }

  Options options;
  Population population;
  RuleState state;
  traffic::Features features;
  std::vector<Ruling> standing;  ///< of the last look
};

TEST_F(RulesTest, AreSilentAboutOrdinaryUsers) {
  features[FeatureId::kMessagesPerMinute] = 5;
  features[FeatureId::kAvgMessageSize] = 60;
  EXPECT_TRUE(look(0).empty());
}

TEST_F(RulesTest, AFloodSpeaksAtOnceAndThenCoolsDown) {
  features[FeatureId::kMessagesPerMinute] = 150;
  const auto found = look(0);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].type, FindingType::kMessageFlood);
  EXPECT_EQ(found[0].severity, traffic::Severity::kHigh);
  EXPECT_FLOAT_EQ(found[0].score, 1.5F);
  EXPECT_TRUE(look(30).empty());
  EXPECT_EQ(look(60).size(), 1u);
}

TEST_F(RulesTest, WhereEverybodySendsALotItTakesFourTimesThat) {
  population = Population(Profile::kGame);
  features[FeatureId::kMessagesPerMinute] = 900;
  features[FeatureId::kRateLimitViolations] = 300;
  EXPECT_TRUE(look(0).empty());
  features[FeatureId::kMessagesPerMinute] = 2500;
  EXPECT_EQ(look(0).size(), 2u);
}

TEST_F(RulesTest, WhoIsOnlyRefusedSendsTooMuchAllTheSame) {
  features[FeatureId::kRateLimitViolations] = 50;
  const auto found = look(0, EventKind::kRateLimited);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].type, FindingType::kRateLimitAbuse);
  EXPECT_EQ(look(61, EventKind::kConnect).size(), 1u);
  population = Population(Profile::kGame);
  EXPECT_TRUE(look(122, EventKind::kRateLimited).empty()) << "less than everybody sends";
}

TEST_F(RulesTest, AnErrorRateNeedsTenMessages) {
  features[FeatureId::kErrorRate] = 1;
  features[FeatureId::kMessagesPerMinute] = 9;
  EXPECT_TRUE(look(0).empty());
  features[FeatureId::kMessagesPerMinute] = 10;
  ASSERT_EQ(look(0).size(), 1u);
  EXPECT_EQ(look(61)[0].type, FindingType::kErrorSpike);
}

TEST_F(RulesTest, LookOnlyWhenTheEventCanMoveTheirFeature) {
  features[FeatureId::kReconnectsPerMinute] = 9;
  EXPECT_TRUE(look(0).empty());
  EXPECT_EQ(look(0, EventKind::kConnect).size(), 1u);
}

TEST_F(RulesTest, WhatDropsWaitsForWhatCanBeDropped) {
  options.rules = {{.type = FindingType::kOversizedMessages,
                    .feature = FeatureId::kAvgMessageSize,
                    .threshold = 1000,
                    .action = traffic::Action::kDrop}};
  features[FeatureId::kAvgMessageSize] = 5000;
  EXPECT_TRUE(look(0, EventKind::kContinued).empty()) << "it has passed";
  EXPECT_EQ(look(1).size(), 1u) << "and has spent no cool-down";
  options.rules[0].action = traffic::Action::kClose;
  EXPECT_EQ(look(1000, EventKind::kContinued).size(), 1u);
}

TEST_F(RulesTest, WhatDropsOrClosesGoesOnWhileItIsSilent) {
  for (const auto action : {traffic::Action::kDrop, traffic::Action::kClose}) {
    state = {};
    options.rules = {{.type = FindingType::kOversizedMessages,
                      .feature = FeatureId::kAvgMessageSize,
                      .threshold = 1000,
                      .action = action}};
    features[FeatureId::kAvgMessageSize] = 5000;
    EXPECT_EQ(look(0).size(), 1u);
    EXPECT_TRUE(standing.empty()) << "it spoke";
    EXPECT_TRUE(look(30).empty());
    ASSERT_EQ(standing.size(), 1u);
    EXPECT_EQ(standing[0].type, FindingType::kOversizedMessages);
    EXPECT_EQ(standing[0].action, action);
    features[FeatureId::kAvgMessageSize] = 500;
    EXPECT_TRUE(look(31).empty());
    EXPECT_TRUE(standing.empty()) << "no line is crossed any more";
  }
}

TEST_F(RulesTest, OnlyWhatCanBeStoppedIsWhileARuleIsSilent) {
  options.rules = {{.type = FindingType::kErrorSpike,
                    .feature = FeatureId::kErrorRate,
                    .threshold = .5F,
                    .action = traffic::Action::kClose}};
  features[FeatureId::kErrorRate] = 1;
  EXPECT_EQ(look(0, EventKind::kFailed).size(), 1u);
  look(1, EventKind::kFailed);
  EXPECT_TRUE(standing.empty()) << "its message was judged before";
  look(2);
  EXPECT_EQ(standing.size(), 1u);
  options.rules[0].action = traffic::Action::kInvestigate;
  look(3);
  EXPECT_TRUE(standing.empty()) << "there is nothing to do about a message";
}

TEST_F(RulesTest, ABelowRuleSpeaksBelow) {
  options.rules = {{.type = FindingType::kBehaviorDeviation,
                    .feature = FeatureId::kBurstiness,
                    .comparison = Comparison::kBelow,
                    .threshold = .1F}};
  features[FeatureId::kBurstiness] = .5F;
  EXPECT_TRUE(look(0).empty());
  features[FeatureId::kBurstiness] = .05F;
  ASSERT_EQ(look(0).size(), 1u);
}

TEST_F(RulesTest, NotANumberCrossesNoLine) {
  for (float& value : features.values) value = std::nanf("");
  for (std::size_t kind = 0; kind < traffic::kEventKinds; ++kind)
    EXPECT_TRUE(look(0, static_cast<EventKind>(kind)).empty());
}

TEST_F(RulesTest, AnalyzeChangesNothingAndIgnoresTheCoolDown) {
  features[FeatureId::kMessagesPerMinute] = 150;
  features[FeatureId::kReconnectsPerMinute] = 9;
  look(0);
  Findings found;
  Rules(options).analyze([this](FeatureId id) { return features[id]; }, at(1), population, found);
  EXPECT_EQ(found.size(), 2u);
}

TEST(Options, NameAllTheirProblems) {
  EXPECT_TRUE(validate(Options{}).empty());
  Options wrong;
  wrong.rules[1].threshold = 3;
  wrong.rules[0].cool_down = Duration{-1};
  wrong.statistics[3].line_factor = std::nanf("");
  wrong.ring.addresses_max = 1;
  wrong.ring.action = traffic::Action::kClose;
  wrong.warm_up = Duration{-1};
  EXPECT_EQ(validate(wrong).size(), 6u);
  wrong.rules.resize(kRulesMax + 1, wrong.rules[2]);
  EXPECT_EQ(validate(wrong).front().key, "rules");
}

TEST(Options, ProfilesHaveNames) {
  for (const Profile profile : {Profile::kChat, Profile::kGame, Profile::kTelemetry})
    EXPECT_EQ(profile_by_name(name(profile)), profile);
  EXPECT_FALSE(profile_by_name("quake"));
}

}  // namespace
}  // namespace liminal::detect
