#include "server/training/ranking.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

/// Alerts of 300 users that are relevant by what their terms count for in truth.
std::vector<salience::JudgedTerms> judged(const salience::TermValues& truth, std::size_t count) {
  Random random(11);
  std::vector<salience::JudgedTerms> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    double x = 0;
    for (std::size_t k = 0; k < salience::kTerms; ++k) {
      out[i].terms[k] = 2 + 2 * random.normal();
      x += truth[k] * (out[i].terms[k] - 2);
    }
    out[i].relevant = random.chance(1 / (1 + std::exp(-x)));
    out[i].source = random.below(300);
    out[i].time = SteadyTime{std::chrono::minutes{i}};
  }
  return out;
}

BuiltinOptions options() {
  BuiltinOptions out;
  out.definition = salience_ranking();
  out.request.model = kSalienceRanking;
  return out;
}

TEST(TrainRanking, IsPromotedWhenItOrdersHeldOutAlertsBetterThanThePrior) {
  const auto made = train_ranking(ranking_rows(judged({2, 0, 0, .2, 0, 2}, 3000)), options());
  ASSERT_TRUE(made.has_value()) << made.error().text;
  EXPECT_TRUE(made->better) << made->reasons.front();
  EXPECT_THAT(made->reasons, Contains(HasSubstr("stated prior")));
  EXPECT_THAT(made->reasons, testing::Not(Contains(HasSubstr("calibrated"))));
  EXPECT_THAT(made->report, testing::Not(HasSubstr("mean_probability_off")));
  const auto weights = weights_of(made->model);
  ASSERT_TRUE(weights.has_value());
  EXPECT_GT(weights->of[0], 1.5);
  EXPECT_LT(weights->of[1], .5);
  EXPECT_EQ(made->model.metadata.name, kSalienceRanking);
}

TEST(TrainRanking, IsNotPromotedWhereThePriorIsRight) {
  const auto made = train_ranking(ranking_rows(judged({1, 1, 1, 1, 1, 1}, 2000)), options());
  ASSERT_TRUE(made.has_value());
  EXPECT_FALSE(made->better);
}

TEST(TrainRanking, IsComparedWithItsChampion) {
  const Rows rows = ranking_rows(judged({2, 0, 0, .2, 0, 2}, 3000));
  const auto first = train_ranking(rows, options());
  ASSERT_TRUE(first.has_value());
  BuiltinOptions again = options();
  again.champion = *models::Scorer::own(first->model);
  const auto second = train_ranking(rows, again);
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(second->better) << "they are the same";
}

TEST(TrainRanking, SaysWhenTooLittleWasJudged) {
  const auto made = train_ranking(ranking_rows(judged({1, 1, 1, 1, 1, 1}, 50)), options());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kConflict);
  EXPECT_GT(made.error().rows_missing, 0U);
}

TEST(WeightsOf, TakesNoOtherModel) {
  models::Model model;
  model.predictor = models::KMeans{};
  EXPECT_EQ(weights_of(model).error().code, ErrorCode::kUnsupported);
  models::Linear linear;
  linear.weights.assign(salience::kTerms, 1.F / 3);
  linear.link = models::Link::kLogistic;
  linear.weights[2] = -1;
  model.predictor = linear;
  EXPECT_EQ(weights_of(model).error(), (Error{ErrorCode::kOutOfRange, 2}));
}

}  // namespace
}  // namespace liminal::training
