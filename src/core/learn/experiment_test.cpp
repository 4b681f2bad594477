#include "core/learn/experiment.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/learn/test_minutes.hpp"

namespace liminal::learn {
namespace {

ExperimentOptions split(double effect) {
  ExperimentOptions options;
  options.mode = ExperimentOptions::Mode::kSplit;
  options.effect = effect;
  return options;
}

SteadyTime at(int row) { return SteadyTime{std::chrono::seconds(row)}; }

TEST(AnytimeInterval, IsNarrowestInProportionWhereItWasPlanned) {
  const double alpha = .05, planned = fixed_test_variance(.1, alpha);
  EXPECT_NEAR(planned, .01 / (2.8016 * 2.8016), 1e-6);
  const auto errors = [&](double variance) {
    return anytime_interval(0, variance, alpha, planned).high / std::sqrt(variance);
  };
  EXPECT_LT(errors(planned), errors(4 * planned));
  EXPECT_LT(errors(planned), errors(planned / 4));
  EXPECT_NEAR(errors(planned), 3.03, .02);
  EXPECT_TRUE(std::isinf(anytime_interval(0, 0, alpha, planned).high));
}

// 1,000 experiments of two equal arms, looked at after every user. False wins of either arm are
// promised in at most .05 of them; they are some .02, so chance does not exceed it.
TEST(Experiment, SeldomFindsADifferenceThatIsNotThereHoweverOftenOneLooks) {
  Random random(7);
  int wins = 0;
  for (int run = 0; run < 1000; ++run) {
    Experiment experiment(split(.1));
    for (int row = 0; row < 1500 && experiment.state() == ExperimentState::kRunning; ++row) {
      const Arm arm = experiment.assign(random.bits());
      experiment.observe(arm, random.chance(.3) ? 1 : 0, at(row));
    }
    wins += experiment.state() == ExperimentState::kChallengerBetter ||
            experiment.state() == ExperimentState::kChampionBetter;
  }
  EXPECT_LE(wins, 50);
}

// A difference as large as the one that matters is found, in 1.5 times the sample of a fixed test
// on average.
TEST(Experiment, FindsADifferenceThatIsThere) {
  Random random(8);
  double rows = 0;
  int found = 0;
  constexpr int kRuns = 300;
  for (int run = 0; run < kRuns; ++run) {
    Experiment experiment(split(.2));
    int row = 0;
    for (; row < 5000 && experiment.state() == ExperimentState::kRunning; ++row) {
      const Arm arm = experiment.assign(random.bits());
      experiment.observe(arm, random.normal() + (arm == Arm::kChallenger ? .2 : 0), at(row));
    }
    rows += row;
    found += experiment.state() == ExperimentState::kChallengerBetter;
  }
  const double fixed = 4 / fixed_test_variance(.2, .05);  // variance 2·1/(n/2) of n users
  EXPECT_LT(rows / kRuns, 1.5 * fixed);
  EXPECT_GE(found, kRuns * 95 / 100);
}

TEST(Experiment, SaysThatThereIsNoDifferenceThatMatters) {
  Random random(9);
  Experiment experiment(split(.3));
  for (int row = 0; row < 20'000 && experiment.state() == ExperimentState::kRunning; ++row)
    experiment.observe(experiment.assign(random.bits()), random.normal(), at(row));
  EXPECT_EQ(experiment.state(), ExperimentState::kNoDifference);
  ASSERT_EQ(experiment.log().size(), 1U);
  EXPECT_EQ(experiment.log()[0].state, ExperimentState::kNoDifference);
}

TEST(Experiment, InShadowNeedsFarFewerRows) {
  Random random(10);
  ExperimentOptions options;
  options.effect = .05;
  Experiment experiment(options);
  int row = 0;
  for (; experiment.state() == ExperimentState::kRunning && row < 10'000; ++row) {
    const double level = random.normal();
    experiment.observe_pair(level, level + .05 + .1 * random.normal(), at(row));
    experiment.observe_agreement(true);
    experiment.observe_latency(Arm::kChampion, 1);
    experiment.observe_latency(Arm::kChallenger, 2);
  }
  EXPECT_EQ(experiment.state(), ExperimentState::kChallengerBetter);
  EXPECT_LT(row, 200);
  EXPECT_EQ(experiment.agreement(), 1);
  EXPECT_EQ(experiment.latency_us(Arm::kChallenger).mean(), 2);
}

TEST(Experiment, InShadowCallsModelsThatAlwaysAgreeAlike) {
  ExperimentOptions options;
  options.effect = .01;
  Experiment experiment(options);
  int row = 0;
  for (; experiment.state() == ExperimentState::kRunning && row < 5000; ++row)
    experiment.observe_pair(row % 2, row % 2, at(row));
  EXPECT_EQ(experiment.state(), ExperimentState::kNoDifference);
  EXPECT_GT(row, 200) << "one row in that many could still differ by 1";
  EXPECT_LT(row, 600);
}

std::uint64_t user(int row) { return mix64(static_cast<std::uint64_t>(row)); }

TEST(Experiment, RollsBackWhenEveryRowOfTheChallengerFails) {
  ExperimentOptions options = split(.01);
  options.guards = {{"error_rate", .02}};
  Experiment experiment(options);
  int row = 0;
  for (; row < 5000 && experiment.state() == ExperimentState::kRunning; ++row)
    experiment.observe_guard(
        0, row % 2 == 0 ? Arm::kChampion : Arm::kChallenger, row % 2, user(row), at(row));
  EXPECT_EQ(experiment.state(), ExperimentState::kHarm);
  EXPECT_LT(row, 300);
}

// 600 experiments without harm, looked at after every row: promised are at most .01 of them, and
// chance exceeds 14 of 600 once in 1,500 such tests.
TEST(Experiment, SeldomSeesHarmThatIsNotThere) {
  Random random(15);
  int harms = 0;
  for (int run = 0; run < 600; ++run) {
    ExperimentOptions options = split(.01);
    options.guards = {{"latency_us", 0}};
    Experiment experiment(options);
    for (int row = 0; row < 3000 && experiment.state() == ExperimentState::kRunning; ++row)
      experiment.observe_guard(0,
                               row % 2 == 0 ? Arm::kChampion : Arm::kChallenger,
                               1 + random.normal(),
                               user(row),
                               at(row));
    harms += experiment.state() == ExperimentState::kHarm;
  }
  EXPECT_LE(harms, 14);
}

/// How many of 300 experiments without harm see some: 200 users of 40 rows each, of whom one in
/// twenty always alarms, or both versions about as many who are others.
int harms_of_users(ExperimentOptions options) {
  Random random(16);
  const bool split = options.mode == ExperimentOptions::Mode::kSplit;
  options.guards = {{"alarm_ratio", .02}};
  int harms = 0;
  for (int run = 0; run < 300; ++run) {
    options.salt = static_cast<std::uint64_t>(run);
    Experiment experiment(options);
    const auto odd = [&](int who, int by) {
      return Random(mix64(static_cast<std::uint64_t>((run * 1000 + who) * 2 + by))).chance(.05);
    };
    for (int row = 0; row < 8000 && experiment.state() == ExperimentState::kRunning; ++row) {
      const int who = static_cast<int>(random.below(200));
      const Arm arm = experiment.assign(user(who));
      if (split) {
        experiment.observe_guard(0, arm, odd(who, 0) ? 1 : 0, user(who), at(row));
      } else {
        experiment.observe_guard(0, Arm::kChampion, odd(who, 0) ? 1 : 0, user(who), at(row));
        experiment.observe_guard(0, Arm::kChallenger, odd(who, 1) ? 1 : 0, user(who), at(row));
      }
    }
    harms += experiment.state() == ExperimentState::kHarm;
  }
  return harms;
}

// Promised are at most .01; by rows as if each were another user's it is a third and more.
TEST(Experiment, OneLoudUserIsNoHarm) {
  EXPECT_LE(harms_of_users(split(.01)), 8);
  EXPECT_LE(harms_of_users({}), 8);
}

TEST(Experiment, KeepsUsersInTheirArm) {
  ExperimentOptions options = split(.1);
  options.share = .2;
  const Experiment experiment(options);
  options.salt = 1;
  const Experiment other(options);
  int challenger = 0, both = 0;
  for (std::uint64_t user = 0; user < 10'000; ++user) {
    const bool here = experiment.assign(mix64(user)) == Arm::kChallenger;
    ASSERT_EQ(experiment.assign(mix64(user)) == Arm::kChallenger, here);
    challenger += here;
    both += here && other.assign(mix64(user)) == Arm::kChallenger;
  }
  EXPECT_NEAR(challenger, 2000, 150);
  EXPECT_NEAR(both, 400, 80) << "another experiment's arms are independent";
}

TEST(Experiment, IsInvalidWhenUsersDoNotComeAsMeant) {
  Random random(11);
  Experiment experiment(split(.01));
  int row = 0;
  for (; experiment.state() == ExperimentState::kRunning && row < 20'000; ++row)
    experiment.observe_user(random.chance(.45) ? Arm::kChallenger : Arm::kChampion, at(row));
  EXPECT_EQ(experiment.state(), ExperimentState::kInvalid);
  EXPECT_LT(row, 8000);
}

// The chance of a false mismatch is .001 an experiment: 2 in 2,000 expected.
TEST(SampleRatio, SeldomReportsAMismatchThatIsNotThere) {
  Random random(12);
  int mismatches = 0;
  for (int run = 0; run < 2000; ++run) {
    SampleRatio ratio(.3);
    for (int row = 0; row < 2000; ++row) ratio.observe(random.chance(.3));
    mismatches += ratio.mismatch();
  }
  EXPECT_LE(mismatches, 8);
}

TEST(Experiment, RollsBackWhenAGuardRailBreaks) {
  Random random(13);
  ExperimentOptions options = split(.01);
  options.guards = {{"error_rate", .02}, {"latency_us", 5}};
  Experiment experiment(options);
  int row = 0;
  for (; row < 20'000 && experiment.state() == ExperimentState::kRunning; ++row) {
    const Arm arm = random.chance(.5) ? Arm::kChallenger : Arm::kChampion;
    experiment.observe_guard(0, arm, random.chance(.02) ? 1 : 0, user(row), at(row));
    experiment.observe_guard(
        1, arm, 10 + random.normal() + 8 * static_cast<int>(arm), user(row), at(row));
  }
  ASSERT_EQ(experiment.state(), ExperimentState::kHarm);
  EXPECT_EQ(experiment.log().back().guard, 1U);
  EXPECT_LT(row, 300);
}

/// A shadow of minutes, in blocks of an hour.
ExperimentOptions of_minutes() {
  ExperimentOptions options;
  options.effect = .3;
  options.block = std::chrono::hours{1};
  return options;
}

/// How an experiment ends whose differences are like the last, in so many minutes at most.
ExperimentState after_minutes(
    ExperimentOptions options, std::uint64_t seed, int minutes, double rho, double better) {
  LikeTheLast apart(seed, rho);
  Experiment experiment(std::move(options));
  for (int minute = 0; minute < minutes; ++minute)
    experiment.observe_pair(-5, -5 + better + apart.next(), at(60 * minute));
  return experiment.state();
}

// 300 experiments of two equal models for a week. False wins of either are promised in .05 of
// them: 15, deviation 4.
TEST(Experiment, OfMinutesThatAreLikeTheLastSeldomFindsADifferenceThatIsNotThere) {
  constexpr int kWeek = 7 * 24 * 60;
  int wins = 0, by_minutes = 0;
  for (std::uint64_t run = 0; run < 300; ++run) {
    const auto won = [&](const ExperimentOptions& options) {
      const ExperimentState state = after_minutes(options, run, kWeek, .9, 0);
      return state == ExperimentState::kChallengerBetter ||
             state == ExperimentState::kChampionBetter;
    };
    wins += won(of_minutes());
    ExperimentOptions each = of_minutes();
    each.block = {};
    by_minutes += won(each);
  }
  EXPECT_LE(wins, 25);
  EXPECT_GT(by_minutes, 150) << "which is what blocks are for";
}

TEST(Experiment, OfMinutesFindsADifferenceThatIsThere) {
  int found = 0;
  for (std::uint64_t run = 0; run < 100; ++run)
    found +=
        after_minutes(of_minutes(), run, 3 * 24 * 60, .9, .6) == ExperimentState::kChallengerBetter;
  EXPECT_GE(found, 95);
}

TEST(Experiment, OfMinutesSaysNothingBeforeTwoDaysAreOver) {
  Experiment experiment(of_minutes());
  int minute = 0;
  for (; experiment.state() == ExperimentState::kRunning && minute < 10'000; ++minute) {
    EXPECT_EQ(experiment.difference().has_value(), minute > 24 * 60) << minute;
    experiment.observe_pair(-5, -3 - minute % 2, at(60 * (300 + minute)));
  }
  EXPECT_EQ(experiment.state(), ExperimentState::kChallengerBetter);
  EXPECT_EQ(minute, 48 * 60 + 1);
}

/// How an experiment ends in two weeks whose squared errors are 10⁴ times as large by day as by
/// night. By day those of the challenger are smaller by the part `better`, by night they are as the
/// champion's, but for what is noise in both.
ExperimentState after_days(std::uint64_t seed, bool from_dusk, double better) {
  ExperimentOptions options = of_minutes();
  options.effect_ratio = .05;
  LikeTheLast apart(seed, .9);
  Experiment experiment(options);
  for (int minute = 0; minute < 14 * 24 * 60; ++minute) {
    const bool night = (minute / 720 % 2 == 0) == from_dusk;
    const double error = night ? .04 : 400;
    const double gain = (night ? 0 : better) + .2 * apart.next();
    experiment.observe_pair(-error, -error * (1 - gain), at(60 * minute));
  }
  return experiment.state();
}

TEST(Experiment, OfMinutesJudgesTheWholeDayWhereverItBegins) {
  for (const bool from_dusk : {false, true}) {
    int found = 0, alike = 0, wins = 0;
    for (std::uint64_t run = 0; run < 100; ++run) {
      found += after_days(run, from_dusk, .3) == ExperimentState::kChallengerBetter;
      const ExperimentState equal = after_days(run, from_dusk, 0);
      alike += equal == ExperimentState::kNoDifference;
      wins +=
          equal == ExperimentState::kChallengerBetter || equal == ExperimentState::kChampionBetter;
    }
    EXPECT_EQ(found, 100) << from_dusk;
    EXPECT_GE(alike, 90) << from_dusk << ": that it matters only by day keeps no verdict away";
    EXPECT_LE(wins, 5) << from_dusk;
  }
}

TEST(Experiment, LeavesOutABlockOfFewRows) {
  Experiment whole(of_minutes()), with_gap(of_minutes());
  for (int minute = 0; minute <= 24 * 60; ++minute) {
    const int hour = minute / 60;
    const double gained = hour == 3 ? 1000 : hour % 2;
    if (hour != 3) whole.observe_pair(-5, -5 + gained, at(60 * minute));
    // What a restart left of an hour.
    if (hour != 3 || minute % 60 < 10) with_gap.observe_pair(-5, -5 + gained, at(60 * minute));
  }
  ASSERT_TRUE(whole.difference());
  EXPECT_EQ(with_gap.difference(), whole.difference());
}

TEST(Experiment, BeginsItsDayAnewWhereTheTimeIsSetBack) {
  Experiment experiment(of_minutes());
  int minute = 50'000;
  const auto go_on = [&](int until, double gained) {
    for (; minute < until; ++minute) experiment.observe_pair(-5, -5 + gained, at(60 * minute));
  };
  go_on(52'000, 7);  // a day and a part
  ASSERT_EQ(experiment.difference(), 7);
  minute = 51'000;  // before the second day
  go_on(51'000 + 24 * 60, 1);
  EXPECT_EQ(experiment.difference(), 7);
  go_on(51'000 + 24 * 60 + 1, 1);
  EXPECT_EQ(experiment.difference(), 4) << "what was seen of the second day is gone";
}

TEST(Experiment, TakesAPartOfTheChampionsErrorForWhatMatters) {
  for (const double unit : {1e-4, 1., 1e6}) {
    ExperimentOptions options;
    options.effect_ratio = .05;
    Random random(16);
    Experiment alike(options), twice(options);
    EXPECT_EQ(alike.effect(), std::nullopt);
    int row = 0;
    for (; row < 200'000 && alike.state() == ExperimentState::kRunning; ++row) {
      const double error = -unit * random.uniform();
      alike.observe_pair(error, error + .1 * unit * random.normal(), at(row));
    }
    EXPECT_EQ(alike.state(), ExperimentState::kNoDifference) << unit;
    EXPECT_NEAR(*alike.effect() / unit, .025, .005);
    for (row = 0; row < 2000 && twice.state() == ExperimentState::kRunning; ++row) {
      const double error = -unit * random.uniform();
      twice.observe_pair(error, error / 2, at(row));
    }
    EXPECT_EQ(twice.state(), ExperimentState::kChallengerBetter) << unit;
  }
}

TEST(Experiment, TakesNoPartOfAnErrorThatIsNone) {
  ExperimentOptions options;
  options.effect_ratio = .05;
  Experiment experiment(options);
  for (int row = 0; row < 500; ++row) experiment.observe_pair(0, 0, at(row));
  EXPECT_EQ(experiment.state(), ExperimentState::kRunning);
  EXPECT_EQ(experiment.effect(), std::nullopt);
}

TEST(Experiment, NamesAllThatIsWrongWithItsOptions) {
  ExperimentOptions options;
  options.share = 0;
  options.alpha = 2;
  options.effect = 0;
  options.guards = {{"x", -1}};
  const Problems problems = options.validate();
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_EQ(problems[3].key, "guards[0].tolerance");
}

TEST(Experiment, SurvivesASnapshotAndRefusesNonsense) {
  Random random(14);
  ExperimentOptions options = split(.3);
  options.guards = {{"error_rate", .02}};
  Experiment experiment(options);
  for (int row = 0; row < 500; ++row) {
    experiment.observe(experiment.assign(random.bits()), random.normal(), at(row));
    experiment.observe_guard(0, Arm::kChampion, 0, user(row), at(row));
  }
  Writer out;
  experiment.save(out);
  Experiment read(options);
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(read.difference(), experiment.difference());
  EXPECT_EQ(read.interval().low, experiment.interval().low);
  EXPECT_EQ(read.state(), experiment.state());

  Reader cut(std::string_view(out.bytes()).substr(0, out.bytes().size() - 9));
  read.load(cut);
  EXPECT_FALSE(cut.ok());
  EXPECT_EQ(read.rows(Arm::kChampion), 0);
}

TEST(Experiment, KeepsItsBlocksAndItsEffect) {
  ExperimentOptions options = of_minutes();
  options.effect_ratio = .05;
  Experiment experiment(options);
  const auto go_on = [&](Experiment& of, int from, int until) {
    Random same(18);
    for (int minute = from; minute < until; ++minute)
      of.observe_pair(-5, -5 + 30 * same.normal(), at(60 * minute));
  };
  go_on(experiment, 0, 3000);
  ASSERT_TRUE(experiment.effect());
  Writer out;
  experiment.save(out);
  Experiment read(options);
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(read.effect(), experiment.effect());
  const double before = experiment.interval().low;
  go_on(experiment, 3000, 4500);
  go_on(read, 3000, 4500);
  EXPECT_NE(experiment.interval().low, before);
  EXPECT_EQ(read.interval().low, experiment.interval().low);
  EXPECT_EQ(read.difference(), experiment.difference());
}

TEST(Experiment, RefusesWhatWasKeptInAnotherModeOrWithOtherBlocks) {
  ExperimentOptions rows, hours = of_minutes(), halves = of_minutes(), users = split(.3);
  rows.effect = .3;
  halves.block /= 2;
  for (const ExperimentOptions& kept : {rows, hours, halves, users}) {
    Writer out;
    Experiment(kept).save(out);
    int read = 0;
    for (const ExperimentOptions& now : {rows, hours, halves, users}) {
      Reader in(out.bytes());
      Experiment(now).load(in);
      read += in.ok();
    }
    EXPECT_EQ(read, 1);
  }
}

TEST(Experiment, TakesTheEffectThatItsOptionsSay) {
  ExperimentOptions options;
  options.effect = .3;
  Writer out;
  Experiment(options).save(out);
  options.effect = .1;
  Experiment read(options);
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(read.effect(), .1);
}

/// What version 1 wrote: what is written now, without what is new before the state.
std::string version_1_of(const Experiment& experiment) {
  Writer now, moments;
  experiment.save(now);
  stats::Moments{}.save(moments);
  // Version, mode, block, effect; of the day three numbers and two moments.
  const std::size_t added =
      1 + 1 + 2 * sizeof(double) + 3 * sizeof(std::int64_t) + 2 * moments.bytes().size();
  return std::string(std::string_view(now.bytes()).substr(added));
}

TEST(Experiment, ReadsWhatWasKeptBeforeThereWereBlocks) {
  ExperimentOptions options;
  options.effect = .3;
  Experiment experiment(options);
  Random random(19);
  for (int row = 0; row < 150; ++row) experiment.observe_pair(-1, -1 + random.normal(), at(row));
  const std::string kept = version_1_of(experiment);
  Experiment read(options);
  Reader in(kept);
  read.load(in);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(read.interval().low, experiment.interval().low);
  Experiment blocks(of_minutes());
  Reader again(kept);
  blocks.load(again);
  EXPECT_FALSE(again.ok());
  EXPECT_EQ(blocks.rows(Arm::kChampion), 0);
}

}  // namespace
}  // namespace liminal::learn
