#include "server/training/prior.hpp"

#include <gtest/gtest.h>

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
  EXPECT_NEAR(trained_.recipes.intercept, std::log(20. / 400) - 2 * std::log(200. / 900), .05);
  held_out.between.erase(held_out.between.begin());
  const double before = base();
  shift_prior({all, held_out, std::span(margins).first(419), searched.labels, searched, none_},
              trained_);
  EXPECT_NEAR(base(), before, .02) << "19 positives say too little";
}

}  // namespace
}  // namespace liminal::training
