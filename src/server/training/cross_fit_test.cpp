#include "server/training/cross_fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <span>
#include <variant>
#include <vector>

namespace liminal::training {
namespace {

using ::testing::HasSubstr;

/// A model that says of every row the share of the rows that it is fitted to, times e^`margin`.
models::Predictor constant(const learn::Table& all,
                           std::span<const std::uint32_t> rows,
                           double margin) {
  double positive = 0;
  for (const std::uint32_t row : rows) positive += double{all.labels[row]};
  models::Trees trees;
  trees.link = models::Link::kLogistic;
  trees.trees.push_back({{models::TreeNode{}}});
  trees.base = static_cast<float>(
      std::log(positive / (static_cast<double>(rows.size()) - positive)) + margin);
  return trees;
}

/// Users with five rows each, one in five of them positive; every second row is later and judges or
/// lies in between.
class CrossFitting : public ::testing::Test {
 protected:
  CrossFitting() {
    table_.features = {{"a", "", {}}};
    for (std::uint32_t row = 0; row < 900; ++row) {
      table_.values.push_back(0);
      table_.groups.push_back(row / 5);
      table_.labels.push_back(row / 5 % 5 == 0 ? 1.F : 0.F);
      if (row % 2 == 1) (row % 3 == 0 ? held_out_.test : held_out_.between).push_back(row);
    }
  }

  std::optional<CrossFit> fit(double margin) {
    return cross_fit(table_, held_out_, 1, [&](std::span<const std::uint32_t> rows) {
      fits_.emplace_back(rows.begin(), rows.end());
      return learn::Asked<models::Predictor>(constant(table_, rows, margin));
    });
  }

  learn::Table table_;
  HeldOut held_out_;
  std::vector<std::vector<std::uint32_t>> fits_;
};

TEST_F(CrossFitting, LeavesAMeanAloneThatIsRight) {
  const auto found = fit(0);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->off, 0, .02);
  EXPECT_NEAR(found->shift, 0, .02);
}

TEST_F(CrossFitting, FindsHowFarAMeanIsOff) {
  const auto found = fit(std::log(2.));  // twice the odds of a fifth: a third
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->off, 5. / 3 - 1, .03);
  EXPECT_NEAR(found->shift, -std::log(2.), .03);
  models::Metadata metadata;
  EXPECT_EQ(cross_fit_in_words(metadata), "");
  remember(*found, metadata);
  EXPECT_THAT(cross_fit_in_words(metadata), HasSubstr("off by +6"));
  EXPECT_NEAR(cross_fit_shift(metadata), found->shift, 1e-6);
}

TEST_F(CrossFitting, FitsWithoutTheUsersThatItAsks) {
  ASSERT_TRUE(fit(0));
  ASSERT_EQ(fits_.size(), 3U);
  for (const auto& rows : fits_) {
    EXPECT_EQ(rows.size(), 600U);
    std::set<std::uint64_t> users;
    for (const std::uint32_t row : rows) users.insert(table_.groups[row]);
    EXPECT_EQ(users.size(), 120U) << "with all of their rows";
  }
}

TEST_F(CrossFitting, OfTooFewLateRowsSaysNothing) {
  held_out_.between.clear();
  held_out_.test.resize(20);
  EXPECT_FALSE(fit(0));
}

TEST_F(CrossFitting, WhatCannotBeFittedToSomeOfTheRowsCostsTheShiftAlone) {
  const auto again = fit_again(
      table_,
      held_out_,
      1,
      true,
      [&](std::span<const std::uint32_t> rows) -> learn::Asked<models::Predictor> {
        if (rows.size() == table_.rows()) return constant(table_, rows, 1);
        return tl::unexpected(learn::Refusal{ErrorCode::kUnavailable, "no node is left", {}, {}});
      },
      [](double) { return true; });
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->cross);
}

TEST_F(CrossFitting, WithoutTimeNothingIsShifted) {
  const auto again = [&](bool time) {
    return fit_again(
        table_,
        held_out_,
        1,
        true,
        [&](std::span<const std::uint32_t> rows) {
          return learn::Asked<models::Predictor>(constant(table_, rows, 1));
        },
        [&](double) { return time; });
  };
  const auto late = again(false), shifted = again(true);
  ASSERT_TRUE(late && shifted);
  EXPECT_FALSE(late->cross);
  ASSERT_TRUE(shifted->cross);
  EXPECT_NEAR(std::get<models::Trees>(shifted->predictor).base,
              std::get<models::Trees>(late->predictor).base - 1,
              .03);
}

}  // namespace
}  // namespace liminal::training
