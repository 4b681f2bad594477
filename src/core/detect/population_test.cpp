#include "core/detect/population.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "core/detect/testing.hpp"

namespace liminal::detect {
namespace {

using testing::at;
using testing::bytes_of;
using traffic::FindingType;

/// Several users and their population, with an exchange once a second.
struct Crowd {
  explicit Crowd(std::size_t users) : statistics(users) {}

  /// Everybody sends with these pauses until `end`.
  void run(double end, double pause_s) {
    std::vector<double> next(statistics.size());
    for (double& each : next) each = t + pause_s * random.uniform();
    for (; t < end; t += 1) {
      for (std::size_t i = 0; i < statistics.size(); ++i) {
        while (next[i] < t + 1) {
          send(i, next[i]);
          next[i] += pause_s * random.exponential();
        }
      }
      shifts += population.learn(shards, at(t + 1), options.warm_up) ? 1 : 0;
      for (Contribution& shard : shards) shard.clear();
    }
  }

  void send(std::size_t user, double when) {
    const std::string name = "user" + std::to_string(user);
    traffic::Event event;
    event.user = traffic::Name{name};
    event.bytes = 40;
    Findings findings;
    statistics[user].step(
        event, at(when), options, population, shards[user % shards.size()], findings);
    for (const traffic::Finding& finding : findings) ++found[finding.type];
  }

  std::vector<UserStatistics> statistics;
  Options options;
  Population population;
  std::array<Contribution, 4> shards;
  std::map<FindingType, int> found;
  Random random{3};
  double t = 0;
  int shifts = 0;
};

TEST(Population, WhenEverybodyChangesNobodyIsAccused) {
  Crowd crowd(40);
  crowd.run(2400, 40);
  EXPECT_EQ(crowd.found[FindingType::kMessageFlood], 0);
  crowd.run(2500, .5);
  EXPECT_EQ(crowd.shifts, 1) << "a shift is said once";
  EXPECT_TRUE(crowd.population.shifted());
  // The first of them cannot know yet that the others follow.
  EXPECT_LT(crowd.found[FindingType::kMessageFlood], 700);
  crowd.found.clear();
  crowd.run(2800, .5);
  EXPECT_EQ(crowd.found[FindingType::kMessageFlood], 0);
  EXPECT_GT(crowd.population.mean(1), 30) << "it is learnt anew";
}

TEST(Population, FewUsersAreNoPopulation) {
  Crowd crowd(5);
  crowd.run(1200, 40);
  crowd.run(1300, .5);
  EXPECT_EQ(crowd.shifts, 0);
  EXPECT_GT(crowd.found[FindingType::kMessageFlood], 0);
}

TEST(Population, LearnsSlowlyWhatIsOrdinary) {
  Crowd crowd(30);
  const double before = crowd.population.mean(2);
  crowd.run(3 * 3600, 60);
  EXPECT_LT(crowd.population.mean(2), 5);
  EXPECT_GT(crowd.population.mean(2), 3);
  EXPECT_NE(crowd.population.mean(2), before);
}

TEST(Population, AFewAttackersDoNotMoveIt) {
  Crowd crowd(40);
  crowd.run(2400, 40);
  const double before = crowd.population.mean(1);
  for (int i = 0; i < 400; ++i) {
    for (std::size_t user = 0; user < 4; ++user)
      for (int j = 0; j < 10; ++j) crowd.send(user, 2400 + i + .1 * j);
    crowd.run(2401 + i, 40);
  }
  EXPECT_FALSE(crowd.population.shifted(1));
  EXPECT_LT(crowd.population.mean(1), before + 2);
}

TEST(Population, WarmsUpForFiveMinutesFromItsFirstUser) {
  Population population;
  std::vector<Contribution> shards(1);
  population.learn(shards, at(0), std::chrono::minutes{5});
  EXPECT_TRUE(population.warming_up());
  shards[0].messages = 1;
  population.learn(shards, at(1000), std::chrono::minutes{5});
  population.learn({}, at(1299), std::chrono::minutes{5});
  EXPECT_TRUE(population.warming_up());
  population.learn({}, at(1300), std::chrono::minutes{5});
  EXPECT_FALSE(population.warming_up());
}

TEST(Population, TheOrdinaryRateOfAFreshStartIsTwiceThatOfTheOthers) {
  Population population;
  EXPECT_LT(population.ordinary_rate(500), 3) << "alone there is only the prior";
  std::vector<Contribution> shards(1);
  shards[0].messages = 5000;
  shards[0].active = 10;
  population.learn(shards, at(0), std::chrono::minutes{5});
  EXPECT_NEAR(population.ordinary_rate(500), 1000, 1);
}

TEST(Population, TimeThatStandsStillOrGoesBackDecaysNothing) {
  Population population;
  std::vector<Contribution> shards(1);
  shards[0].messages = 100;
  shards[0].rejoins = 4;
  population.learn(shards, at(10), Duration{});
  population.learn({}, at(10), Duration{});
  population.learn({}, at(5), Duration{});
  EXPECT_EQ(population.rejoins(), 4);
  population.learn({}, at(1e9), Duration{});
  EXPECT_LT(population.rejoins(), 1e-9);
}

TEST(Population, SavesAndLoads) {
  Crowd crowd(20);
  crowd.run(900, 5);
  const std::string saved = bytes_of(crowd.population);
  Population loaded;
  Reader in(saved);
  loaded.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(bytes_of(loaded), saved);
  EXPECT_EQ(loaded.dispersion(1), crowd.population.dispersion(1));
  EXPECT_EQ(loaded.size_surprise(8), crowd.population.size_surprise(8));
  for (std::size_t length = 0; length < saved.size(); length += 7) {
    Reader cut(std::string_view(saved).substr(0, length));
    loaded.load(cut);
    EXPECT_FALSE(cut.ok());
  }
}

}  // namespace
}  // namespace liminal::detect
