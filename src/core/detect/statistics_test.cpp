#include "core/detect/statistics.hpp"

#include <gtest/gtest.h>

#include "core/detect/testing.hpp"

namespace liminal::detect {
namespace {

using testing::at;
using testing::Scene;
using traffic::Detector;
using traffic::FindingType;

TEST(UserStatistics, SaysNothingAboutPeopleWhoTalk) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scene scene;
    scene.random = Random(seed);
    scene.connect(0);
    scene.subscribe(1, "lobby");
    scene.talk(1, 300);
    EXPECT_TRUE(scene.all.empty()) << seed;
  }
}

TEST(UserStatistics, FindsAFloodWithinTenMessages) {
  Scene scene;
  const double t = scene.talk(0, 40);
  for (int i = 0; i < 10; ++i) scene.send({.t = t + 60 + .2 * i});
  const traffic::Finding* flood = scene.first(FindingType::kMessageFlood);
  ASSERT_NE(flood, nullptr);
  EXPECT_EQ(flood->detector, Detector::kRateSurprise10s);
  EXPECT_GE(flood->score, 1);
  ASSERT_EQ(flood->evidence_count, 1);
  EXPECT_EQ(flood->evidence[0].signal, traffic::Signal::kMessages10s);
  EXPECT_GT(flood->evidence[0].observed, flood->evidence[0].expected_high * .99F);
}

TEST(UserStatistics, FindsASlowFlood) {
  Scene scene;
  for (int i = 0; i < 120; ++i) scene.send({.t = 10. * i + 3 * scene.random.uniform()});
  EXPECT_TRUE(scene.found(FindingType::kSlowFlood) || scene.found(FindingType::kBehaviorDeviation));
}

TEST(UserStatistics, FindsAStretchOfErrors) {
  Scene scene;
  double t = scene.talk(0, 40);
  for (int i = 0; i < 8; ++i) scene.send({.t = t += 20, .error = true});
  EXPECT_TRUE(scene.found(FindingType::kErrorSpike));
}

TEST(UserStatistics, AFailureThatIsReportedLaterCountsLikeOneAtOnce) {
  Scene at_once, later;
  double t = at_once.talk(0, 40);
  later.talk(0, 40);
  for (int i = 0; i < 3; ++i) {
    at_once.send({.t = t += 20, .error = true});
    later.send({.t = t});
    traffic::Event failed = later.message({});
    failed.kind = traffic::EventKind::kFailed;
    later.apply(failed, t + .1);
    ASSERT_EQ(at_once.all.size(), later.all.size());
  }
  EXPECT_TRUE(later.found(FindingType::kErrorSpike));
}

TEST(UserStatistics, AServersOwnFailureAccusesNobody) {
  Scene scene;
  double t = scene.talk(0, 40);
  std::vector<Contribution> others(1);
  for (int i = 0; i < 20; ++i) {
    others[0].clear();
    others[0].messages = others[0].light_messages = others[0].light_errors = 20;
    scene.population.learn(others, at(t += 20), scene.options.warm_up);
    scene.send({.t = t, .error = true});
  }
  EXPECT_FALSE(scene.found(FindingType::kErrorSpike));
}

TEST(UserStatistics, FindsRepeatedContents) {
  Scene scene;
  double t = scene.talk(0, 40);
  for (int i = 0; i < 12; ++i) scene.send({.t = t += 25, .content = 4711});
  EXPECT_TRUE(scene.found(FindingType::kContentSpam));
}

TEST(UserStatistics, NoContentHashIsNoEvidence) {
  Scene scene;
  for (int i = 0; i < 60; ++i) {
    traffic::Event event = scene.message({});
    event.content_hash.reset();
    scene.apply(event, 40. * i + 20 * scene.random.uniform());
  }
  EXPECT_FALSE(scene.found(FindingType::kContentSpam));
}

TEST(UserStatistics, FindsLargeMessages) {
  Scene scene;
  double t = scene.talk(0, 40);
  for (int i = 0; i < 6; ++i) scene.send({.t = t += 30, .bytes = 6000});
  EXPECT_TRUE(scene.found(FindingType::kSizeChange));
}

TEST(UserStatistics, AMessageInPiecesIsJudgedByItsWholeSize) {
  Scene pieces, wholes;
  double t = pieces.talk(0, 40);
  wholes.talk(0, 40);
  for (int i = 0; i < 6; ++i) {
    wholes.send({.t = t += 30, .bytes = 6000});
    pieces.send({.t = t, .bytes = 60});
    pieces.continue_message(t + .2, 60, 6000);
    ASSERT_EQ(pieces.found(FindingType::kSizeChange), wholes.found(FindingType::kSizeChange)) << i;
  }
  const traffic::Finding* found = pieces.first(FindingType::kSizeChange);
  ASSERT_NE(found, nullptr);
  EXPECT_NEAR(found->score, wholes.first(FindingType::kSizeChange)->score, 1e-3);
  EXPECT_NEAR(found->evidence[1].observed, 6000, 1);
}

TEST(UserStatistics, AMessageInPiecesIsLearntOnceAndWithItsWholeSize) {
  Scene pieces, wholes;
  double t = 0;
  for (int i = 0; i < 120; ++i) {
    const auto bytes = static_cast<std::uint32_t>(60 + wholes.random.below(120));
    wholes.send({.t = t += 25 + 30 * wholes.random.exponential(), .bytes = bytes});
    pieces.send({.t = t, .bytes = bytes / 4});
    pieces.continue_message(t + .3, bytes / 4, bytes);
  }
  EXPECT_EQ(pieces.learnt.messages, 120);
  EXPECT_EQ(pieces.user.reference_weight(), wholes.user.reference_weight());
  EXPECT_TRUE(pieces.all.empty());
  for (int i = 0; i < 2; ++i) {
    const float score = wholes.send({.t = t += 40, .bytes = 2000});
    pieces.send({.t = t, .bytes = 100});
    EXPECT_NEAR(pieces.continue_message(t + .3, 100, 2000), score, .05F * score) << i;
  }
}

TEST(UserStatistics, TellsAReconnectStormFromABrokenClient) {
  Scene storm, loop, ordinary;
  for (int i = 0; i < 20; ++i) storm.connect(4. * i);
  for (int i = 0; i < 20; ++i) loop.connect(45. * i);
  for (int i = 0; i < 20; ++i) ordinary.connect(1800. * i);
  EXPECT_TRUE(storm.found(FindingType::kReconnectStorm));
  EXPECT_TRUE(loop.found(FindingType::kConnectionLoop));
  EXPECT_FALSE(loop.found(FindingType::kReconnectStorm));
  EXPECT_TRUE(ordinary.all.empty());
}

TEST(UserStatistics, FindsWhoSpraysChannels) {
  Scene scene;
  scene.subscribe(0, "lobby");
  for (int i = 0; i < 10; ++i) scene.subscribe(100 + 3 * i, "room" + std::to_string(i));
  EXPECT_TRUE(scene.found(FindingType::kChannelPatternChange));

  Scene arriving;
  for (int i = 0; i < 6; ++i) arriving.subscribe(.5 * i, "room" + std::to_string(i));
  EXPECT_TRUE(arriving.all.empty());
}

TEST(UserStatistics, FindsAMetronome) {
  Scene scene;
  for (int i = 0; i < 30; ++i) scene.send({.t = 60. * i + .5 * scene.random.uniform()});
  EXPECT_TRUE(scene.found(FindingType::kAutomatedClient));
}

TEST(UserStatistics, FindsATakeoverAndSaysWhatChanged) {
  Scene scene;
  double t = scene.talk(0, 80) + 1300;
  t = scene.talk(t, 20);
  for (int i = 0; i < 25; ++i) {
    scene.send({.t = t += 12,
                .bytes = 700,
                .error = i % 3 == 0,
                .channel = "elsewhere" + std::to_string(i % 5),
                .address = "192.168.7.7"});
  }
  const traffic::Finding* takeover = scene.first(FindingType::kAccountTakeover);
  ASSERT_NE(takeover, nullptr);
  EXPECT_GE(takeover->evidence_count, 3);
  float sum = 0;
  for (const traffic::Evidence& line : takeover->lines()) sum += line.contribution;
  EXPECT_NEAR(sum, takeover->score, 1e-4);
}

TEST(UserStatistics, FindsUnusualHours) {
  Scene scene;
  // Every day from 9 to 15, for twenty days; then at three in the night.
  double t = 0;
  for (int day = 0; day < 20; ++day) {
    for (int hour = 9; hour < 15; ++hour) {
      t = 86400. * day + 3600 * hour + 600;
      scene.send({.t = t - 40 * 3600});  // 1000 h after the epoch it is 16 o'clock
    }
  }
  EXPECT_FALSE(scene.found(FindingType::kUnusualHours));
  scene.send({.t = t - 40 * 3600 + 13 * 3600});
  EXPECT_TRUE(scene.found(FindingType::kUnusualHours));
}

TEST(UserStatistics, HoldsBackWhatNeedsAPopulationWhileItWarmsUp) {
  Scene scene;
  scene.population = Population{};
  for (int i = 0; i < 50; ++i) scene.send({.t = .3 * i});
  EXPECT_FALSE(scene.found(FindingType::kMessageFlood));
}

TEST(UserStatistics, AGameIsNoFlood) {
  Scene scene(Profile::kGame);
  for (int i = 0; i < 6000; ++i) scene.send({.t = .1 * i + .05 * scene.random.uniform()});
  EXPECT_TRUE(scene.all.empty());
}

// Who poisons slowly is still found: an attacker doubles the rate every hour, and every rate was
// ordinary for the hour before.
TEST(UserStatistics, WhoRaisesTheRateStepByStepIsFound) {
  Scene scene;
  double t = 0;
  for (double per_minute = .5; per_minute <= 64; per_minute *= 2) {
    for (const double end = t + 3600; t < end; t += 60 / per_minute * scene.random.exponential())
      scene.send({.t = t});
  }
  EXPECT_TRUE(scene.found(FindingType::kMessageFlood) ||
              scene.found(FindingType::kBehaviorDeviation) || scene.found(FindingType::kSlowFlood));
}

TEST(UserStatistics, AnAlarmIsHardlyLearnt) {
  Scene scene;
  double t = scene.talk(0, 60);
  const auto before = scene.user.expectation(1, scene.population);
  for (int i = 0; i < 2000; ++i) scene.send({.t = t += .5});
  t = scene.talk(t + 1300, 3);
  t = scene.talk(t + 1300, 3);
  const auto after = scene.user.expectation(1, scene.population);
  EXPECT_LT(after.expected, 2 * before.expected);
}

TEST(UserStatistics, ALineFactorMovesTheLine) {
  Scene plain, late;
  late.options.statistics[static_cast<std::size_t>(Detector::kRepeatCusum)].line_factor = 2;
  for (int i = 0; i < 6; ++i) {
    plain.send({.t = 30. * i, .content = 1});
    late.send({.t = 30. * i, .content = 1});
  }
  EXPECT_TRUE(plain.found(FindingType::kContentSpam));
  EXPECT_FALSE(late.found(FindingType::kContentSpam));
}

TEST(UserStatistics, AnalyzeSaysWhatStandsAndThatItFades) {
  Scene scene;
  for (int i = 0; i < 40; ++i) scene.send({.t = .2 * i});
  Findings now, later;
  EXPECT_GE(scene.user.analyze(at(8), scene.options, scene.population, now), 1);
  EXPECT_FALSE(now.empty());
  EXPECT_LT(scene.user.analyze(at(80'000), scene.options, scene.population, later), 1);
  EXPECT_TRUE(later.empty());
}

}  // namespace
}  // namespace liminal::detect
