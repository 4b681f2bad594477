#include "server/signals/gateway_alerts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::signals {
namespace {

using std::chrono::seconds;
using traffic::AlertStatus;
using traffic::FeedbackVerdict;
using traffic::JudgedAlert;

constexpr SteadyTime kNow{seconds{1'800'000'000}};

JudgedAlert told(const std::string& gateway, std::uint64_t number, std::uint64_t count = 1) {
  JudgedAlert made;
  made.alert.origin = {gateway, ShardId{17}, number};
  made.alert.user = "ann";
  made.alert.first_seen = kNow;
  made.alert.last_seen = kNow + seconds{count};
  made.alert.count = count;
  return made;
}

JudgedAlert judged(JudgedAlert alert, FeedbackVerdict verdict, int at_s) {
  alert.alert.feedback = verdict;
  alert.judged = kNow + seconds{at_s};
  return alert;
}

GatewayAlerts::Placed take(GatewayAlerts& alerts, const JudgedAlert& one) {
  return alerts.keep(alerts.place(one).told.alert.number, one).value();
}

TEST(GatewayAlerts, HaveNumbersOfTheirOwnThoughTwoGatewaysCountAlike) {
  GatewayAlerts alerts;
  EXPECT_EQ(take(alerts, told("north", 1)).told.alert.number, 1U);
  EXPECT_EQ(take(alerts, told("south", 1)).told.alert.number, 2U);
  ASSERT_TRUE(alerts.find(2));
  EXPECT_EQ(traffic::alert_id(*alerts.find(2)), "64-2");
  EXPECT_EQ(alerts.find(2)->origin, (traffic::Alert::Origin{"south", ShardId{17}, 1}));
  EXPECT_FALSE(alerts.find(3));
}

TEST(GatewayAlerts, ToldAgainAreTheSameAndNothingNew) {
  GatewayAlerts alerts;
  const JudgedAlert one = judged(told("north", 1, 3), FeedbackVerdict::kTruePositive, 9);
  const auto first = take(alerts, one);
  EXPECT_TRUE(first.grew && first.said);
  const auto again = take(alerts, one);
  EXPECT_EQ(again.told.alert.number, first.told.alert.number);
  EXPECT_FALSE(again.grew || again.said);
  EXPECT_EQ(again.before, FeedbackVerdict::kTruePositive);
  EXPECT_EQ(alerts.all().size(), 1U);
}

TEST(GatewayAlerts, ToldLateTakeNothingBack) {
  GatewayAlerts alerts;
  JudgedAlert last = judged(told("north", 1, 7), FeedbackVerdict::kFalsePositive, 20);
  last.alert.status = AlertStatus::kResolved;
  take(alerts, last);
  const auto late = take(alerts, judged(told("north", 1, 3), FeedbackVerdict::kTruePositive, 10));
  EXPECT_FALSE(late.grew || late.said);
  EXPECT_EQ(alerts.find(1)->count, 7U);
  EXPECT_EQ(alerts.find(1)->status, AlertStatus::kResolved);
  EXPECT_EQ(alerts.find(1)->feedback, FeedbackVerdict::kFalsePositive);
  // A younger word counts, even of somebody who knows fewer findings.
  const auto word = take(alerts, judged(told("north", 1, 3), FeedbackVerdict::kTruePositive, 30));
  EXPECT_TRUE(word.said);
  EXPECT_EQ(word.before, FeedbackVerdict::kFalsePositive);
  EXPECT_EQ(alerts.find(1)->count, 7U);
  EXPECT_EQ(alerts.find(1)->feedback, FeedbackVerdict::kTruePositive);
}

TEST(GatewayAlerts, WithoutAWordKeepTheOneThatWasSaid) {
  GatewayAlerts alerts;
  take(alerts, judged(told("north", 1, 1), FeedbackVerdict::kExpected, 5));
  take(alerts, told("north", 1, 2));
  EXPECT_EQ(alerts.find(1)->feedback, FeedbackVerdict::kExpected);
  EXPECT_EQ(alerts.find(1)->count, 2U);
}

TEST(GatewayAlerts, OfAGatewayThatBeganAnewAreOthers) {
  GatewayAlerts alerts;
  take(alerts, judged(told("north", 1), FeedbackVerdict::kTruePositive, 5));
  JudgedAlert anew = told("north", 1);
  anew.alert.first_seen += seconds{1};
  EXPECT_EQ(take(alerts, anew).told.alert.number, 2U);
  EXPECT_EQ(alerts.find(2)->feedback, FeedbackVerdict::kNone);
}

TEST(GatewayAlerts, AreSeenOnceTheyAreKept) {
  GatewayAlerts alerts;
  const auto placed = alerts.place(judged(told("north", 1), FeedbackVerdict::kTruePositive, 5));
  EXPECT_FALSE(alerts.find(1));
  EXPECT_TRUE(alerts.all().empty());
  const auto again = alerts.place(judged(told("north", 1), FeedbackVerdict::kTruePositive, 5));
  EXPECT_EQ(again.told.alert.number, placed.told.alert.number);
  EXPECT_TRUE(again.grew && again.said) << "it was not kept, so all of it is news still";
}

TEST(GatewayAlerts, KeepWhatIsSaidAndToldWhileSomethingIsWritten) {
  GatewayAlerts alerts;
  take(alerts, told("north", 1, 2));
  const JudgedAlert late = judged(told("north", 1, 3), FeedbackVerdict::kTruePositive, 5);
  const std::uint64_t number = alerts.place(late).told.alert.number;
  (void)alerts.judge(number, FeedbackVerdict::kFalsePositive, "a test", kNow + seconds{8});
  take(alerts, told("north", 1, 7));
  const auto kept = alerts.keep(number, late);
  ASSERT_TRUE(kept);
  EXPECT_FALSE(kept->said || kept->grew);
  EXPECT_EQ(alerts.find(number)->count, 7U);
  EXPECT_EQ(alerts.find(number)->feedback, FeedbackVerdict::kFalsePositive);
  EXPECT_EQ(alerts.said_here("north", 9).size(), 1U);
}

TEST(GatewayAlerts, TwoWordsAtOnceAreOneOpinionAndItsCorrection) {
  GatewayAlerts alerts;
  const JudgedAlert first = judged(told("north", 1), FeedbackVerdict::kTruePositive, 5);
  const JudgedAlert second = judged(told("north", 1), FeedbackVerdict::kExpected, 6);
  (void)alerts.place(first);
  (void)alerts.place(second);
  EXPECT_EQ(alerts.keep(1, first)->before, FeedbackVerdict::kNone);
  EXPECT_EQ(alerts.keep(1, second)->before, FeedbackVerdict::kTruePositive);
}

TEST(GatewayAlerts, GiveNoNumberOfWhichSomethingIsKept) {
  GatewayAlerts alerts;
  alerts.count_from(41);
  EXPECT_EQ(take(alerts, told("north", 1)).told.alert.number, 42U);
}

TEST(GatewayAlerts, OfLongAgoAreNoBurstOfToday) {
  const traffic::Alert alert = told("north", 1).alert;
  EXPECT_TRUE(GatewayAlerts::is_of_the_present(alert, alert.last_seen + seconds{300}));
  EXPECT_FALSE(GatewayAlerts::is_of_the_present(alert, alert.last_seen + seconds{900}));
  EXPECT_FALSE(GatewayAlerts::is_of_the_present(alert, alert.last_seen - seconds{900}));
}

TEST(GatewayAlerts, HearWhatIsSaidHere) {
  GatewayAlerts alerts;
  take(alerts, judged(told("north", 1), FeedbackVerdict::kTruePositive, 5));
  EXPECT_EQ(alerts.judge(1, FeedbackVerdict::kExpected, "", kNow + seconds{8}),
            FeedbackVerdict::kTruePositive);
  EXPECT_FALSE(alerts.judge(2, FeedbackVerdict::kExpected, "", kNow));
  EXPECT_FALSE(take(alerts, judged(told("north", 1), FeedbackVerdict::kTruePositive, 5)).said);
  EXPECT_EQ(alerts.find(1)->feedback, FeedbackVerdict::kExpected);
}

TEST(GatewayAlerts, GiveTheirGatewayWhatWasSaidHereUntilItKnows) {
  GatewayAlerts alerts;
  for (std::uint64_t number = 1; number <= 3; ++number) take(alerts, told("north", number));
  (void)alerts.judge(1, FeedbackVerdict::kExpected, "a test", kNow + seconds{8});
  (void)alerts.judge(2, FeedbackVerdict::kTruePositive, "", kNow + seconds{9});
  EXPECT_TRUE(alerts.said_here("south", 9).empty());
  const auto words = alerts.said_here("north", 9);
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[0].alert.number, 2U);
  EXPECT_EQ(words[1].alert.feedback, FeedbackVerdict::kExpected);
  EXPECT_EQ(words[1].note, "a test");
  EXPECT_EQ(alerts.said_here("north", 1).size(), 1U);
  take(alerts, judged(told("north", 3), FeedbackVerdict::kExpected, 3));
  (void)alerts.judge(3, FeedbackVerdict::kExpected, "what it says itself", kNow + seconds{9});
  EXPECT_EQ(alerts.said_here("north", 9).size(), 2U);
  // How an alert goes on, and an older word of another opinion, say nothing of it.
  take(alerts, told("north", 2, 5));
  take(alerts, judged(told("north", 2, 5), FeedbackVerdict::kExpected, 1));
  EXPECT_EQ(alerts.said_here("north", 9).size(), 2U);
  // The gateway's own clock may be behind.
  take(alerts, judged(told("north", 2, 5), FeedbackVerdict::kTruePositive, 2));
  EXPECT_EQ(alerts.said_here("north", 9).size(), 1U);
  take(alerts, judged(told("north", 1), FeedbackVerdict::kTruePositive, 20));
  EXPECT_TRUE(alerts.said_here("north", 9).empty());
}

TEST(GatewayAlerts, GoWhenThereAreTooManyTheFirstToldFirst) {
  GatewayAlerts alerts(2);
  for (std::uint64_t number = 1; number <= 3; ++number) take(alerts, told("north", number));
  EXPECT_FALSE(alerts.find(1));
  EXPECT_TRUE(alerts.find(2) && alerts.find(3));
  EXPECT_EQ(take(alerts, told("north", 1)).told.alert.number, 4U);
}

TEST(GatewayAlerts, SayWhoseTheMembersOfAnIncidentAre) {
  GatewayAlerts alerts;
  take(alerts, told("south", 1));
  take(alerts, told("north", 1));
  take(alerts, told("north", 2));
  const auto member = [](std::uint8_t shard, std::uint64_t number) {
    return traffic::alert_key(ShardId{shard}, number);
  };
  const std::vector<std::uint64_t> members{
      member(64, 1), member(64, 3), member(64, 2), member(17, 1), member(64, 9)};
  EXPECT_THAT(alerts.gateways_of(members), testing::ElementsAre("north", "south"));
}

TEST(GatewayAlerts, AreTheSameAfterSaveAndLoad) {
  GatewayAlerts alerts(2), loaded(2);
  for (std::uint64_t number = 1; number <= 3; ++number)
    take(alerts, judged(told("north", number, number), FeedbackVerdict::kExpected, 5));
  Writer out;
  alerts.save(out);
  Reader in(out.bytes());
  loaded.load(in);
  ASSERT_TRUE(in.at_end());
  Writer again;
  loaded.save(again);
  EXPECT_EQ(again.bytes(), out.bytes());
  EXPECT_FALSE(take(loaded, judged(told("north", 3, 3), FeedbackVerdict::kExpected, 5)).said);
  EXPECT_EQ(take(loaded, told("south", 1)).told.alert.number, 4U);

  for (std::size_t length = 0; length < out.bytes().size(); ++length) {
    Reader cut(std::string_view(out.bytes()).substr(0, length));
    loaded.load(cut);
    EXPECT_FALSE(cut.at_end() && cut.ok());
    EXPECT_TRUE(loaded.all().empty());
  }
}

}  // namespace
}  // namespace liminal::signals
