#include "server/training/prior.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <variant>

namespace liminal::training {
namespace {

/// Rows of one feature: so many positive ones, then so many others.
learn::Table table_of(std::size_t positive, std::size_t negative) {
  learn::Table table;
  table.features = {{"a", "", {}}};
  table.values.assign(positive + negative, 0);
  table.labels.assign(positive, 1);
  table.labels.resize(positive + negative, 0);
  return table;
}

/// What margins are moved by where a model is made again, of `table_of(200, 900)` after 100 and
/// 100.
const double kRefitted = std::log(20. / 400) - 2 * std::log(200. / 900);

class Prior : public ::testing::Test {
 protected:
  Prior() {
    trained_.predictor = models::Trees{};
    trained_.recipes.slope = 2;
  }
  [[nodiscard]] double base() const {
    return double{std::get<models::Trees>(trained_.predictor).base};
  }
  /// The rows from one place on.
  static std::vector<std::uint32_t> places(std::uint32_t from, std::uint32_t count) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < count; ++i) found.push_back(from + i);
    return found;
  }

  learn::Trained trained_;
  const learn::Table none_{};
};

TEST_F(Prior, NothingIsShiftedWhereTheSharesAreTheSame) {
  const learn::Table all = table_of(100, 900);
  HeldOut held_out;
  held_out.train = places(0, 1000);
  shift_prior({all, held_out, {}, all.labels, all, none_}, trained_);
  EXPECT_EQ(base(), 0);
  EXPECT_EQ(trained_.recipes.intercept, 0);
}

TEST_F(Prior, TheShareOfTheRowsThatCalibrateIsUndone) {
  // Injected abuse doubles the odds of the rows that calibrate.
  const learn::Table all = table_of(100, 900), searched = table_of(200, 900);
  HeldOut held_out;
  held_out.train = places(0, 1000);
  shift_prior({all, held_out, {}, searched.labels, searched, table_of(100, 0)}, trained_);
  EXPECT_NEAR(base(), -std::log(2.), .01);
  EXPECT_NEAR(trained_.recipes.intercept, -std::log(2.), .01);
}

TEST_F(Prior, TheShareOfTheRowsInBetweenCountsWhereItIsKnown) {
  const learn::Table all = table_of(200, 900), searched = table_of(100, 100);
  HeldOut held_out;
  held_out.train = places(100, 200);    // half and half
  held_out.between = places(180, 420);  // 20 and 400
  const std::vector<double> margins(420, 0.);
  shift_prior({all, held_out, margins, searched.labels, searched, none_}, trained_);
  EXPECT_NEAR(base(), std::log(20. / 400), .03);
  // The margins of a fit to all rows are lower by themselves, twice as much after the slope.
  EXPECT_NEAR(trained_.recipes.intercept, kRefitted, .05);
  held_out.between.erase(held_out.between.begin());
  const double before = base();
  shift_prior({all, held_out, std::span(margins).first(419), searched.labels, searched, none_},
              trained_);
  EXPECT_NEAR(base(), before, .02) << "19 positives say too little";
}

/// Twenty positive rows in between and 400 others, of which a search of half and half knew nothing.
class PriorBetween : public Prior {
 protected:
  PriorBetween() {
    held_out_.train = places(100, 200);
    held_out_.between = places(180, 420);
  }
  void shift(std::span<const double> margins) {
    shift_prior({all_, held_out_, margins, searched_.labels, searched_, none_}, trained_);
  }

  const learn::Table all_ = table_of(200, 900), searched_ = table_of(100, 100);
  HeldOut held_out_;
};

TEST_F(PriorBetween, TheMeanOfTheModelThatIsJudgedIsTheirShareWhateverItSays) {
  std::vector<double> margins(420, -2.);
  std::fill(margins.begin(), margins.begin() + 140, 3.);
  shift(margins);
  double sum = 0;
  for (const double margin : margins) sum += 1 / (1 + std::exp(-margin - base()));
  EXPECT_NEAR(sum / 420, 20.5 / 421, 1e-4);
  EXPECT_LT(base(), std::log(20. / 400) - 1) << "the odds alone would leave it saying too much";
}

TEST_F(PriorBetween, WhatIsFittedAgainIsNotCorrectedForWhatItLearns) {
  std::vector<double> margins(420, -2.);
  std::fill(margins.begin(), margins.begin() + 140, 3.);
  shift(margins);
  EXPECT_NEAR(trained_.recipes.intercept, kRefitted, .05);
}

TEST_F(PriorBetween, MarginsThatAreNoNumbersLeaveTheDifferenceOfTheOdds) {
  std::vector<double> margins(420, 3.);
  margins[7] = std::nan("");
  shift(margins);
  EXPECT_NEAR(base(), std::log(20. / 400), .03);
  const double once = base();
  shift({});
  EXPECT_NEAR(base(), 2 * once, 1e-5) << "none are known";
}

TEST_F(PriorBetween, RowsOfOneKindDoNotMakeEverybodyPositive) {
  held_out_.between = places(100, 100);
  shift(std::vector<double>(100, 2.));
  EXPECT_NEAR(base(), std::log(201.) - 2, 1e-3);
  shift(std::vector<double>(100, -50.));
  EXPECT_NEAR(base(), std::log(201.) - 2 + 6, 1e-3) << "by no more at once";
}

}  // namespace
}  // namespace liminal::training
