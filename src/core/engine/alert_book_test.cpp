#include "core/engine/alert_book.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/traffic/codec.hpp"

namespace liminal::engine {
namespace {

using traffic::Alert;
using traffic::Detector;
using traffic::FindingType;
using traffic::Severity;
using Kind = AlertChange::Kind;

SteadyTime at(double s) { return SteadyTime{std::chrono::hours{24 * 365}} + from_seconds(s); }

traffic::Finding finding(FindingType type, Detector detector, float score = 1) {
  traffic::Finding made;
  made.type = type;
  made.detector = detector;
  made.severity = traffic::info(type).severity;
  made.score = score;
  made.confidence = .8F;
  return made;
}

class AlertBookTest : public testing::Test {
 protected:
  std::vector<AlertChange> raise(const traffic::Finding& what, std::string_view user, double t) {
    std::vector<AlertChange> changes;
    book.raise(
        what,
        {.user = traffic::Name(user), .address = {}, .now = at(t), .input = 7},
        [] { return traffic::Features{}; },
        changes);
    return changes;
  }
  std::vector<AlertChange> tick(double t) {
    std::vector<AlertChange> changes;
    book.tick(at(t), changes);
    return changes;
  }
  AlertBook book{ShardId{3}, AlertOptions{}};
};

TEST_F(AlertBookTest, FindingsOfOneUserAndTypeAreOneAlertUntilItIsCalm) {
  const auto flood = finding(FindingType::kMessageFlood, Detector::kRateSurprise10s);
  const auto raised = raise(flood, "eve", 0);
  ASSERT_EQ(raised.size(), 1u);
  EXPECT_EQ(raised[0].kind, Kind::kRaised);
  EXPECT_EQ(traffic::alert_id(raised[0].alert), "3-1");
  EXPECT_TRUE(raise(flood, "eve", 1).empty());
  EXPECT_TRUE(raise(flood, "eve", 2).empty());

  const auto updated = tick(3);
  ASSERT_EQ(updated.size(), 1u);
  EXPECT_EQ(updated[0].kind, Kind::kUpdated);
  EXPECT_EQ(updated[0].alert.count, 3u);
  EXPECT_EQ(updated[0].alert.last_seen, at(2));
  EXPECT_TRUE(tick(4).empty());

  EXPECT_TRUE(tick(2 + 899).empty());
  const auto resolved = tick(2 + 900);
  ASSERT_EQ(resolved.size(), 1u);
  EXPECT_EQ(resolved[0].kind, Kind::kResolved);
  EXPECT_EQ(resolved[0].alert.status, traffic::AlertStatus::kResolved);
  EXPECT_EQ(book.open_count(), 0u);

  EXPECT_EQ(traffic::alert_id(raise(flood, "eve", 2000)[0].alert), "3-2");
}

TEST_F(AlertBookTest, UsersAndTypesAreKeptApart) {
  raise(finding(FindingType::kMessageFlood, Detector::kRule), "eve", 0);
  raise(finding(FindingType::kErrorSpike, Detector::kRule), "eve", 0);
  raise(finding(FindingType::kMessageFlood, Detector::kRule), "adam", 0);
  EXPECT_EQ(book.open_count(), 3u);
  EXPECT_EQ(book.open_of("eve").size(), 2u);
  EXPECT_EQ(book.open_of("nobody").size(), 0u);
}

TEST_F(AlertBookTest, SeverityRisesWhenThreeDetectorsAgreeAndNeverFalls) {
  raise(finding(FindingType::kErrorSpike, Detector::kErrorCusum), "eve", 0);
  raise(finding(FindingType::kMessageFlood, Detector::kRule), "eve", 1);
  EXPECT_EQ(book.open_of("eve")[1].severity, Severity::kHigh);

  const auto escalated =
      raise(finding(FindingType::kMessageFlood, Detector::kRateSurprise10s), "eve", 2);

  ASSERT_EQ(escalated.size(), 1u);
  EXPECT_EQ(escalated[0].kind, Kind::kEscalated);
  EXPECT_EQ(escalated[0].alert.severity, Severity::kCritical);
  EXPECT_EQ(escalated[0].alert.detectors_agreeing, 3);
  EXPECT_EQ(book.open_count(Severity::kCritical), 1u);
  EXPECT_TRUE(raise(finding(FindingType::kMessageFlood, Detector::kRule), "eve", 3).empty());
}

TEST_F(AlertBookTest, KeepsTheFirstAndTheWorstFinding) {
  raise(finding(FindingType::kMessageFlood, Detector::kRule, 1), "eve", 0);
  raise(finding(FindingType::kMessageFlood, Detector::kRule, 5), "eve", 1);
  raise(finding(FindingType::kMessageFlood, Detector::kRule, 2), "eve", 2);
  const Alert alert = book.open_of("eve").front();
  EXPECT_EQ(alert.first.score, 1);
  EXPECT_EQ(alert.worst.score, 5);
}

TEST_F(AlertBookTest, ConfidenceFollowsTheOperatorsWords) {
  for (int i = 0; i < 30; ++i)
    book.count_feedback(FindingType::kErrorSpike, traffic::FeedbackVerdict::kFalsePositive);
  const auto doubted = raise(finding(FindingType::kErrorSpike, Detector::kErrorCusum), "eve", 0);
  const auto trusted = raise(finding(FindingType::kMessageFlood, Detector::kRule), "eve", 0);
  EXPECT_NEAR(doubted[0].alert.first.confidence, .8 * 10 / 40, 1e-6);
  EXPECT_FLOAT_EQ(trusted[0].alert.first.confidence, .8F);
}

TEST_F(AlertBookTest, IsBoundedAndResolvesTheQuietestFirst) {
  AlertOptions options;
  options.open_max = 2;
  book = AlertBook(ShardId{0}, options);
  const auto flood = finding(FindingType::kMessageFlood, Detector::kRule);
  raise(flood, "a", 0);
  raise(flood, "b", 1);
  raise(flood, "a", 2);
  const auto changes = raise(flood, "c", 3);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].kind, Kind::kResolved);
  EXPECT_EQ(changes[0].alert.user, "b");
  EXPECT_EQ(book.open_count(), 2u);
}

TEST_F(AlertBookTest, AdoptsWhatWasShownBeforeTheRestartAndNeverReusesANumber) {
  AlertBook before(ShardId{3}, AlertOptions{});
  std::vector<AlertChange> shown;
  for (int i = 0; i < 5; ++i) {
    before.raise(
        finding(FindingType::kMessageFlood, Detector::kRule),
        {.user = traffic::Name("user" + std::to_string(i)), .address = {}, .now = at(i)},
        [] { return traffic::Features{}; },
        shown);
  }
  for (const AlertChange& change : shown) book.adopt(change.alert);
  EXPECT_EQ(book.open_count(), 5u);
  EXPECT_EQ(raise(finding(FindingType::kMessageFlood, Detector::kRule), "new", 9)[0].alert.number,
            6u);
  EXPECT_TRUE(raise(finding(FindingType::kMessageFlood, Detector::kRule), "user2", 9).empty());
}

TEST_F(AlertBookTest, TakesFeedbackThatItsSnapshotDoesNotHave) {
  auto raised = raise(finding(FindingType::kMessageFlood, Detector::kRule), "eve", 0);
  ASSERT_EQ(raised.size(), 1u);
  ASSERT_TRUE(book.feedback(raised[0].alert.number, traffic::FeedbackVerdict::kTruePositive));
  traffic::Alert stored = raised[0].alert;
  stored.feedback = traffic::FeedbackVerdict::kFalsePositive;  // acknowledged before a kill
  book.adopt(stored);
  ASSERT_EQ(book.open_of("eve").size(), 1u);
  EXPECT_EQ(book.open_of("eve")[0].feedback, traffic::FeedbackVerdict::kFalsePositive);
}

TEST(AlertOptions, NamesAllItsProblems) {
  EXPECT_TRUE(validate(AlertOptions{}).empty());
  EXPECT_EQ(validate({.calm = Duration::zero(), .escalate_at = 1, .open_max = 0}).size(), 4u);
}

struct Move {
  int kind, user, type, detector;
  double pause;
};

/// Drives a book through moves; what it answered, as bytes.
std::string drive(AlertBook& book, const std::vector<Move>& moves, double& t) {
  Writer told;
  for (const Move& move : moves) {
    t += move.pause;
    std::vector<AlertChange> changes;
    if (move.kind == 0) {
      book.tick(at(t), changes);
    } else {
      const std::string user = "u" + std::to_string(move.user);
      auto what = finding(FindingType{static_cast<std::uint8_t>(move.type)},
                          Detector{static_cast<std::uint8_t>(move.detector)});
      book.raise(
          what,
          {.user = traffic::Name(user), .address = {}, .now = at(t)},
          [] { return traffic::Features{}; },
          changes);
    }
    for (const AlertChange& change : changes) {
      told.put(change.kind);
      save(change.alert, told);
    }
  }
  return told.take();
}

rc::Gen<std::vector<Move>> moves() {
  return rc::gen::container<std::vector<Move>>(rc::gen::build<Move>(
      rc::gen::set(&Move::kind, rc::gen::inRange(0, 3)),
      rc::gen::set(&Move::user, rc::gen::inRange(0, 4)),
      rc::gen::set(&Move::type, rc::gen::inRange(0, 3)),
      rc::gen::set(&Move::detector, rc::gen::inRange(0, 5)),
      rc::gen::set(&Move::pause,
                   rc::gen::map(rc::gen::inRange(0, 500), [](int s) { return double(s); }))));
}

RC_GTEST_PROP(AlertBook, SavedAndLoadedHasTheSameFuture, ()) {
  double t = 0;
  AlertOptions options;
  options.open_max = 6;
  AlertBook book(ShardId{1}, options);
  drive(book, *moves(), t);
  Writer saved;
  book.save(saved);
  AlertBook loaded(ShardId{1}, options);
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());

  double t_loaded = t;
  const auto future = *moves();
  RC_ASSERT(drive(book, future, t) == drive(loaded, future, t_loaded));
  Writer a, b;
  book.save(a);
  loaded.save(b);
  RC_ASSERT(a.bytes() == b.bytes());
}

RC_GTEST_PROP(AlertBook, RefusesASnapshotThatIsCut, ()) {
  double t = 0;
  AlertBook book(ShardId{1}, AlertOptions{});
  drive(book, *moves(), t);
  Writer saved;
  book.save(saved);
  const std::string cut =
      saved.bytes().substr(0, *rc::gen::inRange<std::size_t>(0, saved.bytes().size()));
  AlertBook loaded(ShardId{1}, AlertOptions{});
  Reader in(cut);
  RC_ASSERT(!loaded.load(in).has_value());
  RC_ASSERT(loaded.open_count() == 0u);
}

}  // namespace
}  // namespace liminal::engine
