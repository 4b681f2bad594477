#include "server/signals/salience.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace liminal::signals {
namespace {

using namespace std::chrono_literals;
using salience::Scope;

SteadyTime at(Duration since) { return SteadyTime{1'800'000'000s + since}; }

traffic::Alert alert(std::uint8_t shard,
                     std::uint64_t number,
                     std::string user,
                     traffic::FindingType type,
                     Duration seen) {
  traffic::Alert made;
  made.shard = ShardId{shard};
  made.number = number;
  made.user = std::move(user);
  made.type = type;
  made.severity = traffic::info(type).severity;
  made.first_seen = made.last_seen = at(seen);
  made.worst.confidence = .9F;
  return made;
}

using enum traffic::FindingType;

/// Two days of the same two kinds of alerts, then an hour in which several rare ones come together.
std::vector<traffic::Alert> story() {
  std::vector<traffic::Alert> all;
  std::uint64_t number = 0;
  for (int hour = 0; hour < 48; ++hour) {
    all.push_back(alert(1, ++number, "bob", kAutomatedClient, hour * 1h));
    all.push_back(alert(2, number, "ann", kUnusualHours, hour * 1h + 30min));
  }
  all.push_back(alert(3, ++number, "eve", kAccountTakeover, 48h));
  all.push_back(alert(3, ++number, "eve", kContentSpam, 48h + 1min));
  all.push_back(alert(4, ++number, "eva", kMessageFlood, 48h + 2min));
  return all;
}

void feed(Salience& salience, const std::vector<traffic::Alert>& all) {
  for (const traffic::Alert& one : all) {
    salience.note(one);
    salience.advance(one.last_seen + 3s);
  }
  salience.advance(all.back().last_seen + 2min);
}

TEST(Salience, RaresThingsTogetherBeforeWhatHappensEveryHour) {
  Salience salience;
  const auto all = story();
  feed(salience, all);
  const double flood = salience.judge(all.back()).log_odds();
  EXPECT_GT(flood, salience.judge(all[80]).log_odds() + 1);
  const auto incidents = salience.incidents({.count = 3}, salience.settled());
  ASSERT_EQ(incidents.size(), 3u);
  EXPECT_EQ(incidents[0].members, 3u) << incidents[0].title();
  EXPECT_EQ(incidents[0].entities, 2u);
}

TEST(Salience, WithoutHistoryIsWhatTheAlertSays) {
  const Salience salience;
  const auto one = alert(1, 1, "ann", kMessageFlood, 0s);
  EXPECT_NEAR(salience.judge(one).log_odds(),
              -1 + *salience::severity_log_odds(name(one.severity)) + .4,
              1e-6);
}

TEST(Salience, DoesNotDependOnWhichThreadWasFirst) {
  auto all = story();
  Salience forth, back;
  for (const auto& one : all) forth.note(one);
  std::reverse(all.begin(), all.end());
  for (const auto& one : all) back.note(one);
  for (Salience* salience : {&forth, &back}) salience->advance(at(49h));
  EXPECT_EQ(forth.save(), back.save());
}

TEST(Salience, TakesWhatIsYoungLater) {
  Salience salience;
  salience.note(alert(1, 1, "ann", kMessageFlood, 10s));
  salience.advance(at(11s));
  EXPECT_TRUE(salience.incidents({.count = 5}, salience.settled()).empty());
  salience.advance(at(12s));
  EXPECT_EQ(salience.incidents({.scope = Scope::kGlobal, .count = 5}, salience.settled()).size(),
            1u);
}

TEST(Salience, AnAlertThatGrowsStaysOneMember) {
  Salience salience;
  for (int i = 0; i < 50; ++i) {
    salience.note(alert(1, 1, "ann", kMessageFlood, i * 1s));
    salience.advance(at(i * 1s + 5s));
  }
  const auto incident =
      salience.incidents({.scope = Scope::kSource, .count = 1}, salience.settled()).front();
  EXPECT_EQ(incident.members, 1u);
  EXPECT_EQ(incident.events, 50u);
}

TEST(Salience, AnAlertThatIsNothingGoesBehindTheOthersAtOnce) {
  Salience salience;
  auto grave = alert(1, 1, "ann", kMessageFlood, 10s);
  grave.severity = traffic::Severity::kCritical;
  auto slight = alert(1, 2, "bert", kMessageFlood, 10s);
  slight.severity = traffic::Severity::kLow;
  for (const auto& one : {grave, slight}) salience.note(one);
  salience.advance(at(15s));
  EXPECT_GT(salience.judge(grave).log_odds(), salience.judge(slight).log_odds());
  for (const auto word :
       {traffic::FeedbackVerdict::kFalsePositive, traffic::FeedbackVerdict::kExpected}) {
    grave.feedback = word;
    EXPECT_LT(salience.judge(grave).log_odds(), salience.judge(slight).log_odds());
  }
  grave.feedback = traffic::FeedbackVerdict::kTruePositive;
  EXPECT_EQ(salience.judge(grave).word, 0);
}

TEST(Salience, AnIncidentOfWhichEveryAlertIsNothingEndsAndStaysSo) {
  Salience salience;
  const auto one = alert(1, 1, "ann", kMessageFlood, 10s);
  salience.note(one);
  salience.advance(at(15s));
  const auto status = [](const Salience& of) {
    return of.incidents({.scope = Scope::kSource}, at(20s)).front().status;
  };
  using salience::IncidentStatus;
  EXPECT_EQ(status(salience), IncidentStatus::kOpen);
  salience.feedback(one, traffic::FeedbackVerdict::kFalsePositive);
  EXPECT_EQ(status(salience), IncidentStatus::kEnded);
  Salience later;
  ASSERT_TRUE(later.load(salience.save()));
  EXPECT_EQ(status(later), IncidentStatus::kEnded);
  later.feedback(one, traffic::FeedbackVerdict::kTruePositive);
  EXPECT_EQ(status(later), IncidentStatus::kOpen);
}

TEST(Salience, ForgetsIncidentsThatAreTooOld) {
  SalienceOptions options;
  options.age_max = 1h;
  Salience salience(options);
  salience.note(alert(1, 1, "ann", kMessageFlood, 10s));
  salience.advance(at(50min));
  EXPECT_EQ(salience.incidents({}, at(50min)).size(), 2u);
  salience.advance(at(61min));
  EXPECT_TRUE(salience.incidents({}, at(61min)).empty());
}

TEST(Salience, GoesByOtherAgesFromTheMomentTheyAreTold) {
  Salience salience;
  salience.note(alert(1, 1, "ann", kMessageFlood, 10s));
  salience.advance(at(15s));
  const auto status = [&] { return salience.incidents({}, at(10min)).front().status; };
  EXPECT_EQ(status(), salience::IncidentStatus::kOpen);
  salience.set_ages(1min, 1h);
  EXPECT_EQ(status(), salience::IncidentStatus::kEnded);
  salience.advance(at(61min));
  EXPECT_TRUE(salience.incidents({}, at(61min)).empty());
}

TEST(Salience, FeedbackMovesATypeAtOnce) {
  Salience salience;
  const auto all = story();
  feed(salience, all);
  const double before = salience.judge(all[80]).log_odds();
  for (std::size_t i = 0; i < 5; ++i)
    salience.feedback(all[80 - 2 * i], traffic::FeedbackVerdict::kFalsePositive);
  EXPECT_LT(salience.judge(all[80]).log_odds(), before);
}

TEST(Salience, AWordAboutAnAlertCountsOnce) {
  using enum traffic::FeedbackVerdict;
  Salience once, often;
  const auto all = story();
  for (Salience* salience : {&once, &often}) feed(*salience, all);
  const double unsaid = once.judge(all[80]).log_odds();
  once.feedback(all[80], kFalsePositive);
  for (int i = 0; i < 8; ++i) often.feedback(all[80], i % 2 == 0 ? kFalsePositive : kExpected);
  EXPECT_EQ(often.judge(all[80]).log_odds(), once.judge(all[80]).log_odds());
  once.feedback(all[80], kTruePositive);
  EXPECT_NEAR(once.judge(all[80]).terms.feedback, .5 * std::log(2.), 1e-9) << "as if said at first";
  EXPECT_GT(once.judge(all[80]).log_odds(), unsaid);
}

TEST(Salience, AWordThatIsToldOnCountsAsWhereItWasSaid) {
  using enum traffic::FeedbackVerdict;
  Salience said, told;
  const auto all = story();
  for (Salience* salience : {&said, &told}) feed(*salience, all);
  for (const auto verdict : {kFalsePositive, kTruePositive, kExpected, kTruePositive}) {
    const bool replaces = said.feedback(all[80], verdict);
    told.feedback(all[80].type, verdict, replaces);
    EXPECT_EQ(told.judge(all[80]).log_odds(), said.judge(all[80]).log_odds());
  }
}

TEST(Salience, KeepsJudgedAlertsWithTheTermsTheyHadBefore) {
  Salience salience;
  const auto all = story();
  feed(salience, all);
  const salience::Terms before = salience.judge(all.back()).terms;
  salience.feedback(all.back(), traffic::FeedbackVerdict::kTruePositive);
  salience.feedback(all[80], traffic::FeedbackVerdict::kTruePositive);
  EXPECT_FALSE(salience.was_told(all[80], traffic::FeedbackVerdict::kExpected));
  salience.feedback(all[80], traffic::FeedbackVerdict::kExpected);
  EXPECT_TRUE(salience.was_told(all[80], traffic::FeedbackVerdict::kExpected));
  EXPECT_FALSE(salience.was_told(all[81], traffic::FeedbackVerdict::kExpected));
  const auto judged = salience.judged();
  ASSERT_EQ(judged.size(), 2u) << "a second word takes the place of the first";
  EXPECT_EQ(judged[0].terms, salience::values_of(before));
  EXPECT_TRUE(judged[0].relevant);
  EXPECT_EQ(judged[0].time, all.back().last_seen);
  EXPECT_FALSE(judged[1].relevant);
  Salience again;
  ASSERT_TRUE(again.load(salience.save()));
  ASSERT_EQ(again.judged().size(), 2u);
  EXPECT_EQ(again.judged()[0].terms, judged[0].terms);
  EXPECT_EQ(again.save(), salience.save());
}

TEST(Salience, CountsTermsByWeightsThatWereLearntAndStaysAdditive) {
  Salience salience;
  const auto all = story();
  feed(salience, all);
  const salience::Judgement prior = salience.judge(all.back());
  salience::TermWeights weights;
  weights.of = {2, 1, .5, 1, 1, 1};
  weights.offset = -1;
  salience.set_weights(weights, 3);
  EXPECT_EQ(salience.weights_version(), 3u);
  const salience::Judgement learnt = salience.judge(all.back());
  EXPECT_EQ(learnt.terms.rarity, 2 * prior.terms.rarity);
  EXPECT_EQ(learnt.terms.neighbourhood, .5 * prior.terms.neighbourhood);
  EXPECT_EQ(learnt.terms.offset, -1);
  EXPECT_NEAR(learnt.log_odds(),
              learnt.prior.log_odds + learnt.history_weight * (learnt.terms.x() - 13) / 3,
              1e-12);
  salience.set_weights({}, 0);
  EXPECT_EQ(salience.judge(all.back()).log_odds(), prior.log_odds());
}

TEST(Salience, EventsFromOutsideTeachNothingAndUseWhatIsKnown) {
  Salience salience;
  feed(salience, story());
  const std::string before = salience.save();
  const std::vector<Salience::Asked> asked{{"system_event", "", {}},
                                           {"account_takeover", "eve", {}}};
  const auto judged = salience.judge(asked);
  EXPECT_EQ(judged[0].history_weight, 0);
  EXPECT_GT(judged[1].history_weight, 0);
  EXPECT_EQ(salience.save(), before);
}

TEST(Salience, SavedAndLoadedHasTheSameFuture) {
  const auto all = story();
  const std::vector<traffic::Alert> past(all.begin(), all.end() - 2);
  Salience salience;
  for (const auto& one : past) salience.note(one);
  salience.advance(all.back().last_seen - 1min);
  Salience loaded;
  ASSERT_TRUE(loaded.load(salience.save()));
  EXPECT_EQ(loaded.settled(), salience.settled());
  for (Salience* one : {&salience, &loaded}) {
    one->note(all[all.size() - 2]);
    one->note(all.back());
    one->advance(at(49h));
  }
  EXPECT_EQ(salience.save(), loaded.save());
}

TEST(Salience, RefusesDamagedBytesAndKeepsWhatItHas) {
  Salience salience;
  feed(salience, story());
  const std::string good = salience.save();
  for (std::size_t cut : {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1})
    EXPECT_FALSE(salience.load(good.substr(0, cut)));
  EXPECT_FALSE(salience.load(good + "x"));
  EXPECT_EQ(salience.save(), good);
}

TEST(Salience, IsBoundedAndCountsWhatIsLost) {
  SalienceOptions options;
  options.waiting_max = 10;
  options.alerts_max = 5;
  Salience salience(options);
  for (std::uint64_t i = 1; i <= 20; ++i) salience.note(alert(1, i, "ann", kMessageFlood, 0s));
  EXPECT_EQ(salience.lost(), 10u);
  salience.advance(at(1h));
  EXPECT_TRUE(std::isfinite(salience.judge(alert(1, 1, "ann", kMessageFlood, 0s)).log_odds()));
  Salience loaded(options);
  EXPECT_TRUE(loaded.load(salience.save()));
}

TEST(Salience, TakesManyThreads) {
  Salience salience;
  std::vector<std::thread> threads;
  for (std::uint8_t shard = 0; shard < 4; ++shard) {
    threads.emplace_back([&, shard] {
      for (std::uint64_t i = 1; i <= 200; ++i) {
        const auto one = alert(shard, i, "user", kMessageFlood, std::chrono::seconds{i});
        salience.note(one);
        (void)salience.judge(one);
        (void)salience.incidents({.count = 5}, salience.settled());
      }
    });
  }
  for (int i = 0; i < 50; ++i) salience.advance(at(i * 4s));
  for (std::thread& thread : threads) thread.join();
  salience.advance(at(1h));
  EXPECT_EQ(
      salience.incidents({.scope = Scope::kGlobal, .count = 1}, salience.settled()).front().members,
      800u);
}

}  // namespace
}  // namespace liminal::signals
