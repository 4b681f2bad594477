#include "core/learn/promote.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/random.hpp"
#include "core/learn/test_minutes.hpp"
#include "core/learn/test_users.hpp"

namespace liminal::learn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

struct Rows {
  std::vector<float> champion, challenger, labels;
};

/// Calibrated probabilities from margins that see the truth through noise.
Rows drawn(std::uint64_t seed, int rows, double champion_noise, double challenger_noise) {
  Random random(seed);
  Rows made;
  const auto seen = [&](double truth, double noise) {
    // The best guess of a N(0, 4) truth from truth + noise, pushed through the logistic curve.
    const double guess = (truth + noise * random.normal()) * 4 / (4 + noise * noise);
    return static_cast<float>(1 / (1 + std::exp(-guess)));
  };
  for (int i = 0; i < rows; ++i) {
    const double truth = 2 * random.normal();
    made.labels.push_back(random.chance(1 / (1 + std::exp(-truth))) ? 1.F : 0.F);
    made.champion.push_back(seen(truth, champion_noise));
    made.challenger.push_back(seen(truth, challenger_noise));
  }
  return made;
}

GateInput input_of(const Rows& rows) {
  GateInput input;
  input.champion = rows.champion;
  input.challenger = rows.challenger;
  input.labels = rows.labels;
  input.latency_us = 1;
  return input;
}

TEST(Promotion, TakesABetterChallenger) {
  const Rows rows = drawn(1, 4000, 1, .3);
  const GateDecision decision = judge_classifier(input_of(rows));
  EXPECT_TRUE(decision.promote);
  EXPECT_THAT(decision.reasons, Contains(HasSubstr("better: AUC")));
}

// 400 equal challengers: one in twenty gets through; 400·.05 = 20, deviation 4.4.
TEST(Promotion, TakesOneEqualChallengerInTwenty) {
  int promoted = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Rows rows = drawn(seed + 100, 600, .8, .8);
    GateOptions options;
    options.calibration_error_max = 1;
    promoted += judge_classifier(input_of(rows), options).promote;
  }
  EXPECT_GE(promoted, 8);
  EXPECT_LE(promoted, 33);
}

TEST(Promotion, AsksForMoreWhenManyAreJudgedOnTheSameRows) {
  const Rows rows = drawn(3, 1500, .8, .6);
  GateInput input = input_of(rows);
  ASSERT_GT(judge_classifier(input).test.z, 1.645);
  input.looks = 1000;
  EXPECT_FALSE(judge_classifier(input).promote);
}

TEST(Promotion, SaysHowManyPositivesItWouldTake) {
  const Rows rows = drawn(5, 300, .8, .8);
  const GateDecision decision = judge_classifier(input_of(rows));
  EXPECT_FALSE(decision.promote);
  EXPECT_GT(decision.positives_needed, 300);
  EXPECT_THAT(decision.reasons, Contains(HasSubstr("positives; there are")));
}

TEST(Promotion, SaysHowManyUsersItWouldTake) {
  const UserRows rows = scored_users(4, 60, .8, .8);
  GateInput input;
  input.champion = rows.champion;
  input.challenger = rows.challenger;
  input.labels = rows.labels;
  input.users = rows.users;
  GateOptions options;
  options.probabilities = false;
  const GateDecision decision = judge_classifier(input, options);
  EXPECT_GT(decision.users_needed, 60);
  EXPECT_THAT(decision.reasons, Contains(HasSubstr("users alike; there are")));
}

// Of a first model nobody asks for half a percent more than chance.
TEST(Promotion, OfAFirstModelSaysWhatItTakesToTellTheDifferenceThatWasSeen) {
  int told = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const UserRows rows = scored_users(seed, 30, 3, 3);
    GateInput input;
    input.challenger = rows.challenger;
    input.labels = rows.labels;
    input.users = rows.users;
    GateOptions options;
    options.probabilities = false;
    options.positives_min = 5;
    const GateDecision decision = judge_classifier(input, options);
    if (decision.promote || decision.test.difference < .05 || decision.users_needed == 0) continue;
    ++told;
    EXPECT_EQ(decision.to_tell, decision.test.difference);
    EXPECT_GT(decision.users_needed, decision.test.users);
    EXPECT_LT(decision.users_needed, 500);
  }
  EXPECT_GT(told, 5);
}

TEST(Promotion, SaysThatThereAreTooFewRows) {
  const Rows rows = drawn(5, 60, 1, .1);
  const GateDecision decision = judge_classifier(input_of(rows));
  EXPECT_FALSE(decision.promote);
  EXPECT_THAT(decision.reasons[0], HasSubstr("too few rows to tell"));
}

TEST(Promotion, RefusesWhatIsTooSlowOrTooLarge) {
  const Rows rows = drawn(1, 4000, 1, .3);
  GateInput input = input_of(rows);
  input.latency_us = 9;
  EXPECT_THAT(judge_classifier(input).reasons[0], HasSubstr("too slow: 9.00"));
  input.latency_us = 1;
  input.memory_bytes = 9e6;
  EXPECT_THAT(judge_classifier(input).reasons[0], HasSubstr("too large"));
}

TEST(Promotion, RefusesWhatIsMuchWorseForSome) {
  Rows rows = drawn(1, 6000, 1, .3);
  Slice slice{"new users", {}};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    slice.rows.push_back(i);
    rows.challenger[i] = 1 - rows.challenger[i];
  }
  GateInput input = input_of(rows);
  GateOptions options;
  options.calibration_error_max = 1;
  ASSERT_FALSE(judge_classifier(input, options).promote);
  for (std::uint32_t i = 0; i < 1000; ++i) rows.challenger[i] = .5F + .01F * rows.champion[i];
  const std::vector<Slice> slices{slice};
  input.slices = slices;
  for (std::uint32_t i = 0; i < 500; ++i) rows.challenger[i] = 1 - rows.challenger[i];
  EXPECT_THAT(judge_classifier(input, options).reasons,
              Contains(HasSubstr("slice new users is much worse")));
}

TEST(Promotion, RefusesProbabilitiesThatAreNoProbabilities) {
  Rows rows = drawn(1, 4000, 1, .3);
  for (float& p : rows.challenger) p = .3F * p;
  EXPECT_THAT(judge_classifier(input_of(rows)).reasons[0], HasSubstr("badly calibrated"));
}

// One positive in 500: an absolute error of .05 says nothing about .002.
TEST(Promotion, RefusesProbabilitiesThatAreOffWherePositivesAreRare) {
  Random random(8);
  Rows rows;
  for (int i = 0; i < 100'000; ++i) {
    const double p = .004 * random.uniform();
    rows.labels.push_back(random.chance(p) ? 1.F : 0.F);
    rows.challenger.push_back(static_cast<float>(p));
    rows.champion.push_back(.002F);
  }
  EXPECT_TRUE(judge_classifier(input_of(rows)).promote);
  for (float& p : rows.challenger) p *= 5;
  EXPECT_THAT(judge_classifier(input_of(rows)).reasons[0], HasSubstr("badly calibrated: the mean"));
}

/// Abusers of twenty rows each among ten times as many others. Of the rows of `found` parts of the
/// abusers .98 is said, of all others `ordinary`.
Rows abusers(std::uint64_t count, double ordinary, double found) {
  Random random(1);
  Rows rows;
  for (std::uint64_t user = 0; user < 11 * count; ++user) {
    const bool bad = user < count;
    const double said =
        static_cast<double>(user) < found * static_cast<double>(count) ? .98 : ordinary;
    for (int i = 0; i < 20; ++i) {
      rows.labels.push_back(bad ? 1 : 0);
      rows.challenger.push_back(static_cast<float>(said + .001 * random.uniform()));
    }
  }
  return rows;
}

std::vector<std::uint64_t> users_of(const Rows& rows) {
  std::vector<std::uint64_t> users;
  for (std::size_t row = 0; row < rows.labels.size(); ++row) users.push_back(row / 20);
  return users;
}

TEST(Promotion, TellsByUsersWhetherTheMeanProbabilityIsOff) {
  const auto judged = [](const Rows& rows, bool by_users) {
    const auto users = users_of(rows);
    GateInput input = input_of(rows);
    if (by_users) input.users = users;
    return judge_classifier(input);
  };
  const GateDecision good = judged(abusers(30, .01, 1), true);
  EXPECT_TRUE(good.promote) << good.reasons[0];
  EXPECT_THAT(good.reasons, Contains(HasSubstr("their mean by +")));
  EXPECT_THAT(judged(abusers(60, .045, 1), true).reasons[0],
              HasSubstr("badly calibrated: the mean probability is off by +4"));
  // Whom it does not find it misses with all rows: 400 rows would tell, twenty users do not.
  const Rows some = abusers(20, .004, .65);
  EXPECT_THAT(judged(some, false).reasons[0], HasSubstr("badly calibrated: the mean"));
  EXPECT_THAT(judged(some, true).reasons[0],
              HasSubstr("not enough users to tell whether it is calibrated: the mean"));
  const GateDecision few = judged(abusers(5, .01, 1), true);
  EXPECT_FALSE(few.promote);
  EXPECT_THAT(few.reasons[0], HasSubstr("not enough users to tell whether it is calibrated"));
  EXPECT_TRUE(judged(abusers(5, .01, 1), false).promote);
}

TEST(Promotion, OfAChampionThatIsOffAsFarIsNotRefusedForThat) {
  Rows rows = abusers(60, .045, 1);
  rows.champion = rows.challenger;
  Random random(2);
  for (float& p : rows.champion) p = random.chance(.05) ? .5F : p + .01F;
  const auto users = users_of(rows);
  GateInput input = input_of(rows);
  input.users = users;
  EXPECT_TRUE(judge_classifier(input).promote) << judge_classifier(input).reasons[0];
}

// Five abusers are too few for any interval, of both models: the line decides.
TEST(Promotion, OfTooFewUsersIsTakenAfterAChampionThatIsKnownAsLittle) {
  Rows rows = abusers(5, .01, 1);
  rows.champion = rows.challenger;
  Random random(2);
  for (std::size_t row = 0; row < rows.labels.size(); ++row)
    if (is_positive(rows.labels[row]) && random.chance(.4)) rows.champion[row] = .005F;
  const auto users = users_of(rows);
  GateInput input = input_of(rows);
  input.users = users;
  const GateDecision decision = judge_classifier(input);
  EXPECT_TRUE(decision.promote) << decision.reasons[0];
  EXPECT_THAT(decision.reasons, Contains(HasSubstr("which are as of 5.0 users alike")));
  for (float& p : rows.challenger) p = std::min(.99F, p + .06F);
  GateOptions by_mean;
  by_mean.calibration_error_max = 1;
  EXPECT_THAT(judge_classifier(input, by_mean).reasons[0], HasSubstr("not enough users to tell"));
}

/// How many of 200 first models are refused for their mean probability, which is `times` the truth:
/// of users with ten rows of one label, a fifth of them positive.
int refused_for_the_mean(std::uint64_t users, double times) {
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    Random random(1000 * users + trial);
    Rows rows;
    std::vector<std::uint64_t> whose;
    for (std::uint64_t user = 0; user < users; ++user) {
      const double u = random.uniform(), p = u * u * u * u;
      const float label = random.chance(p) ? 1 : 0;
      rows.labels.insert(rows.labels.end(), 10, label);
      rows.challenger.insert(rows.challenger.end(), 10, static_cast<float>(times * p));
      whose.insert(whose.end(), 10, user);
    }
    GateInput input = input_of(rows);
    input.users = whose;
    GateOptions options;
    options.calibration_error_max = 1;
    for (const std::string& reason : judge_classifier(input, options).reasons)
      refused += reason.find("the mean probability is off") != std::string::npos;
  }
  return refused;
}

// By 2,000 other trials 20.8, 8.5 and .7 %: of 200 some 42, 17 and 1, deviations 6, 4 and 1.
TEST(Promotion, OfAFirstModelThatIsCalibratedIsRefusedAsOftenAsStated) {
  const int at_12 = refused_for_the_mean(60, 1), at_24 = refused_for_the_mean(120, 1),
            at_60 = refused_for_the_mean(300, 1);
  EXPECT_GE(at_12, 24);
  EXPECT_LE(at_12, 60);
  EXPECT_GE(at_24, 5);
  EXPECT_LE(at_24, 31);
  EXPECT_LE(at_60, 7);
}

TEST(Promotion, OfAFirstModelThatSaysTwiceTheTruthIsRefused) {
  EXPECT_GE(refused_for_the_mean(60, 2), 190);
  EXPECT_GE(refused_for_the_mean(120, 2), 197);
}

TEST(Promotion, OfScoresThatAreNoProbabilitiesSaysNothingOfCalibration) {
  Rows rows = drawn(1, 4000, 1, .3);
  for (float& p : rows.challenger) p = .3F * p;
  GateOptions options;
  options.probabilities = false;
  const GateDecision decision = judge_classifier(input_of(rows), options);
  EXPECT_TRUE(decision.promote);
  EXPECT_FALSE(decision.bias.known());
  for (const std::string& reason : decision.reasons)
    EXPECT_EQ(reason.find("calibrated"), std::string::npos) << reason;
}

TEST(Promotion, SaysWhatIsWrongWithItsOptions) {
  const Rows rows = drawn(1, 4000, 1, .3);
  GateOptions options;
  options.false_ratio = 0;
  options.latency_us_max = std::nan("");
  for (const auto& decision :
       {judge_classifier(input_of(rows), options), judge_regressor(input_of(rows), options)}) {
    EXPECT_FALSE(decision.promote);
    ASSERT_EQ(decision.reasons.size(), 2U);
    EXPECT_THAT(decision.reasons[0], HasSubstr("false_ratio must lie"));
  }
}

/// Values of which the challenger misses a little less than the champion.
Rows values(std::uint64_t seed, int count, double champion_noise, double challenger_noise) {
  Random random(seed);
  Rows rows;
  for (int i = 0; i < count; ++i) {
    const double truth = random.normal();
    rows.labels.push_back(static_cast<float>(truth));
    rows.champion.push_back(static_cast<float>(truth + champion_noise * random.normal()));
    rows.challenger.push_back(static_cast<float>(truth + challenger_noise * random.normal()));
  }
  return rows;
}

// Ten slices of 60 rows in each of 50 runs: a challenger that errs a twentieth less everywhere.
TEST(Promotion, OfValuesIsNotRefusedForSlicesThatLoseByLuck) {
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Rows rows = values(seed + 500, 600, .5, .475);
    std::vector<Slice> slices(10);
    for (std::uint32_t row = 0; row < 600; ++row) slices[row % 10].rows.push_back(row);
    GateInput input = input_of(rows);
    input.slices = slices;
    for (const std::string& reason : judge_regressor(input).reasons)
      refused += reason.find("slice") != std::string::npos;
  }
  EXPECT_LE(refused, 10);
}

TEST(Promotion, OfValuesIsRefusedForASliceThatLoses) {
  Rows rows = values(7, 2000, .5, .3);
  Slice slice{"evenings", {}};
  for (std::uint32_t row = 0; row < 200; ++row) {
    slice.rows.push_back(row);
    rows.challenger[row] += .6F;
  }
  const std::vector<Slice> slices{slice};
  GateInput input = input_of(rows);
  input.slices = slices;
  EXPECT_THAT(judge_regressor(input).reasons, Contains(HasSubstr("slice evenings is worse")));
}

TEST(Promotion, OfValuesAmongManyTakesMoreThanAThousandResamplesCanShow) {
  const Rows rows = values(9, 400, .5, .44);
  GateInput input = input_of(rows);
  const GateDecision one = judge_regressor(input);
  ASSERT_TRUE(one.promote);
  EXPECT_GT(one.bootstrap.worse, 0);
  input.looks = 100;
  EXPECT_FALSE(judge_regressor(input).promote) << judge_regressor(input).reasons[0];
}

TEST(Promotion, OfValuesThatIsStoppedIsNone) {
  const Rows rows = values(9, 400, .5, .3);
  ASSERT_TRUE(judge_regressor(input_of(rows)).promote);
  EXPECT_FALSE(judge_regressor(input_of(rows), {}, [] { return true; }).promote);
}

TEST(Promotion, OfTheFirstModelComparesWithChance) {
  Rows rows = drawn(1, 2000, 1, .3);
  GateInput input = input_of(rows);
  input.champion = {};
  EXPECT_TRUE(judge_classifier(input).promote);
  std::fill(rows.challenger.begin(), rows.challenger.end(), .5F);
  EXPECT_FALSE(judge_classifier(input).promote);
}

TEST(Promotion, OfValuesGoesByTheirError) {
  Random random(4);
  Rows rows;
  for (int i = 0; i < 500; ++i) {
    const double truth = random.normal();
    rows.labels.push_back(static_cast<float>(truth));
    rows.champion.push_back(static_cast<float>(truth + .5 * random.normal()));
    rows.challenger.push_back(static_cast<float>(truth + .4 * random.normal()));
  }
  EXPECT_TRUE(judge_regressor(input_of(rows)).promote);
  std::swap(rows.champion, rows.challenger);
  EXPECT_FALSE(judge_regressor(input_of(rows)).promote);
  GateInput first = input_of(rows);
  first.champion = {};
  EXPECT_TRUE(judge_regressor(first).promote) << "better than the median";
}

/// How many of 200 challengers are promoted that are by so much better (deviations of a minute's
/// difference of errors, which is AR(1) of `rho`), by minutes and by stretches of time.
std::pair<int, int> promoted_by_minutes(std::size_t minutes, double rho, double better) {
  int by_minutes = 0, by_time = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    const MinuteRows rows = minutes_of(1000 * minutes + trial, minutes, rho, better);
    GateInput input;
    input.champion = rows.champion;
    input.challenger = rows.challenger;
    input.labels = rows.labels;
    by_minutes += judge_regressor(input).promote;
    input.times_s = rows.times_s;
    input.stretch_rows_min = 30;
    by_time += judge_regressor(input).promote;
  }
  return {by_minutes, by_time};
}

// At 5 % of 200 trials 10 are expected, deviation 3: 20 is exceeded once in a thousand tests.
TEST(Promotion, OfMinutesThatAreLikeTheLastIsWrongAsSeldomAsOfOthers) {
  for (const double rho : {0., .5, .9}) {
    const auto [by_minutes, by_time] = promoted_by_minutes(360, rho, 0);
    EXPECT_LE(by_time, 20) << rho;
    if (rho == .9) {
      EXPECT_GT(by_minutes, 50) << "which is what stretches are for";
    }
  }
}

// At 2.3 % of 400 trials 9 are expected, deviation 3; by stretches as if they had nothing in
// common 24.
TEST(Promotion, OfMinutesSeldomRefusesAnEqualChallengerForASlice) {
  constexpr std::size_t kMinutes = 360;
  Slice all{"all", std::vector<std::uint32_t>(kMinutes)};
  std::iota(all.rows.begin(), all.rows.end(), 0U);
  GateOptions options;
  options.slice_loss_max = 0;
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 400; ++trial) {
    const MinuteRows rows = minutes_of(1000 * kMinutes + trial, kMinutes, .9, 0);
    GateInput input;
    input.champion = rows.champion;
    input.challenger = rows.challenger;
    input.labels = rows.labels;
    input.times_s = rows.times_s;
    input.stretch_rows_min = 30;
    input.slices = {&all, 1};
    for (const std::string& reason : judge_regressor(input, options).reasons)
      refused += reason.starts_with("slice all is worse");
  }
  EXPECT_LE(refused, 18);
}

TEST(Promotion, OfMinutesStillFindsABetterChallenger) {
  // Of nineteen like minutes each: a day's mean has a deviation of .115.
  EXPECT_GT(promoted_by_minutes(1440, .9, .4).second, 150);
}

TEST(Promotion, OfTooShortATimeShowsNothing) {
  const MinuteRows rows = minutes_of(1, 120, .5, 3);
  GateInput input;
  input.champion = rows.champion;
  input.challenger = rows.challenger;
  input.labels = rows.labels;
  input.times_s = rows.times_s;
  input.stretch_rows_min = 30;
  const GateDecision decision = judge_regressor(input);
  EXPECT_FALSE(decision.promote);
  EXPECT_THAT(decision.reasons[0],
              HasSubstr("not enough time judges to tell which is better: 120 rows, and it takes 5 "
                        "stretches of 30"));
}

}  // namespace
}  // namespace liminal::learn
