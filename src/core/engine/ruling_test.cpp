// What rules do to messages.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/engine/testing.hpp"

namespace liminal::engine {
namespace {

using namespace testing;

/// A rule of kMessageFlood that speaks at each message from the third on.
Options which_drops(traffic::Mode mode) {
  Options options;
  options.limits.mode = traffic::Mode::kEnforce;
  for (detect::RuleOptions& rule : options.detect.rules) {
    if (rule.type != FindingType::kMessageFlood) continue;
    rule.mode = mode;
    rule.action = traffic::Action::kDrop;
    rule.threshold = 2;
    rule.ordinary_factor = rule.messages_min = 0;
    rule.cool_down = Duration::zero();
  }
  EXPECT_TRUE(validate(options).empty());
  return options;
}

TEST(Ruling, AMessageThatARuleSpeaksAboutIsAViolationAtItsEndAllTheSame) {
  for (const auto mode : {traffic::Mode::kObserve, traffic::Mode::kShadow}) {
    Driver driver(which_drops(mode));
    for (int i = 0; i < 4; ++i) driver.feed({.t = i * 1., .user = "amy"});
    const Line line{.t = 5, .user = "amy"};
    const traffic::Verdict begun = driver.feed(line).verdict;
    EXPECT_EQ(begun.decision, traffic::Decision::kAllow);
    EXPECT_EQ(
        begun.shadow,
        mode == traffic::Mode::kShadow ? traffic::Decision::kDrop : traffic::Decision::kAllow);
    EXPECT_EQ(begun.observed, traffic::Decision::kDrop);
    EXPECT_FALSE(begun.violated);
    EXPECT_EQ(driver.feed_rest(line, begun, 70 * 1024).verdict.decision, traffic::Decision::kClose);
    EXPECT_EQ(driver.violations("amy"), 1);
  }
}

TEST(Ruling, WhatALimitDoesKeepsItsReasonBesideARuleInShadow) {
  Driver driver(which_drops(traffic::Mode::kShadow));
  traffic::Verdict last;
  for (int i = 0; i < 30; ++i) last = driver.feed({.t = 1, .user = "amy"}).verdict;
  EXPECT_EQ(last.decision, traffic::Decision::kDelay);
  EXPECT_EQ(last.reason, traffic::Reason::kUserMessages);
  EXPECT_GE(last.shadow, traffic::Decision::kDrop);
}

std::uint64_t oversized(
    const std::array<std::array<std::uint64_t, traffic::kFindingTypes>, 4>& by) {
  return by[static_cast<std::size_t>(traffic::Decision::kDrop)]
           [static_cast<std::size_t>(FindingType::kOversizedMessages)];
}

/// The default rules, cool-downs and all.
TEST(Ruling, ARuleThatDropsDropsEveryMessageThatCrossesItAndSaysSoOnce) {
  constexpr std::uint64_t kMessages = 30, kFewest = 3;  // before the rule has something to go by
  for (const auto mode : {traffic::Mode::kShadow, traffic::Mode::kEnforce}) {
    Options options;
    options.limits.mode = mode;
    for (detect::RuleOptions& rule : options.detect.rules) rule.mode = mode;
    Driver driver(options);
    std::uint64_t dropped = 0, entries = 0;
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      const Effects& effects =
          driver.feed({.t = static_cast<double>(i), .user = "eve", .bytes = 20'000});
      const bool enforced = effects.verdict.decision == traffic::Decision::kDrop;
      EXPECT_EQ(enforced, mode == traffic::Mode::kEnforce && i + 1 >= kFewest);
      dropped += effects.verdict.shadow == traffic::Decision::kDrop ? 1 : 0;
      entries += effects.audit.size();
    }
    EXPECT_EQ(dropped, kMessages - kFewest + 1);
    const Counters counters = driver.engine.counters();
    const bool enforces = mode == traffic::Mode::kEnforce;
    EXPECT_EQ(oversized(counters.enforced_findings), enforces ? dropped : 0);
    EXPECT_EQ(oversized(counters.shadow_findings), enforces ? 0 : dropped);
    EXPECT_EQ(entries, enforces ? 1u : 0u) << "the others are summed up";
    std::uint64_t said = 0;
    for (const std::uint64_t count :
         counters.findings[static_cast<std::size_t>(FindingType::kOversizedMessages)])
      said += count;
    EXPECT_EQ(said, 1u);
    EXPECT_EQ(std::count_if(driver.raised.begin(),
                            driver.raised.end(),
                            [](const traffic::Alert& alert) {
                              return alert.type == FindingType::kOversizedMessages;
                            }),
              1);
    EXPECT_EQ(driver.feed({.t = 31, .user = "ann"}).verdict.shadow, traffic::Decision::kAllow);
  }
}

TEST(Ruling, WhatARuleInShadowWouldDoHidesNothingThatAnotherDoes) {
  for (const bool shadow_first : {false, true}) {
    Options options = which_drops(traffic::Mode::kEnforce);
    detect::RuleOptions shadow = options.detect.rules.front();
    ASSERT_EQ(shadow.type, FindingType::kMessageFlood);
    shadow.type = FindingType::kContentSpam;
    shadow.mode = traffic::Mode::kShadow;
    shadow.action = traffic::Action::kClose;
    const auto where = shadow_first ? options.detect.rules.begin() : options.detect.rules.end();
    options.detect.rules.insert(where, shadow);
    Driver driver(options);
    for (int i = 0; i < 3; ++i) driver.feed({.t = i * 1., .user = "amy"});
    EXPECT_EQ(driver.effects.verdict.decision, traffic::Decision::kDrop);
    EXPECT_EQ(driver.effects.verdict.shadow, traffic::Decision::kClose);
    EXPECT_EQ(driver.effects.verdict.finding, FindingType::kMessageFlood) << "what was done";
  }
}

RC_GTEST_PROP(Ruling, ACoolDownChangesNoVerdict, (std::uint64_t seed)) {
  Random random(seed);
  Options speaking;
  speaking.limits.mode = traffic::Mode::kObserve;
  speaking.detect.rules = {
      {.type = FindingType::kOversizedMessages,
       .feature = traffic::FeatureId::kAvgMessageSize,
       .threshold = static_cast<float>(random.uniform(100, 50'000)),
       .cool_down = Duration::zero(),
       .action = traffic::Action::kDrop,
       .mode = traffic::Mode::kEnforce},
      {.type = FindingType::kMessageFlood,
       .feature = traffic::FeatureId::kMessagesPerMinute,
       .threshold = static_cast<float>(random.uniform(1, 10)),
       .cool_down = Duration::zero(),
       .action = traffic::Action::kClose,
       .mode = random.chance(.5) ? traffic::Mode::kShadow : traffic::Mode::kEnforce}};
  Options cooling = speaking;
  for (detect::RuleOptions& rule : cooling.detect.rules)
    rule.cool_down = from_seconds(random.uniform(1, 60));
  Driver all(speaking), few(cooling);
  for (const Line& line : mixed(seed)) {
    if (line.t > 100) continue;
    const traffic::Verdict verdict = all.feed(line).verdict;
    const traffic::Verdict again = few.feed(line).verdict;
    RC_ASSERT(again.decision == verdict.decision);
    RC_ASSERT(again.shadow == verdict.shadow);
  }
  const Counters of_few = few.engine.counters(), of_all = all.engine.counters();
  RC_ASSERT(of_few.enforced_findings == of_all.enforced_findings);
  RC_ASSERT(of_few.shadow_findings == of_all.shadow_findings);
}

}  // namespace
}  // namespace liminal::engine
