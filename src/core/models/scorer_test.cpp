#include "core/models/scorer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace liminal::models {
namespace {

Metadata metadata(Task task) {
  Metadata made;
  made.name = "a model";
  made.task = task;
  made.features = {{"a", ""}, {"b", ""}};
  return made;
}

/// Of others: .1·a + .2·b.
Scorer::Made foreign(Task task, std::vector<float> usual = {}) {
  return Scorer::foreign(
      metadata(task),
      [](std::span<const float> rows, std::span<Prediction> out) {
        for (std::size_t i = 0; i < out.size(); ++i)
          out[i].score =
              .1 * static_cast<double>(rows[2 * i]) + .2 * static_cast<double>(rows[2 * i + 1]);
        return true;
      },
      std::move(usual));
}

TEST(Scorer, AnswersForTheCoresOwnModelAsItsEvaluator) {
  Model model{metadata(Task::kClassification), Linear{{}, {1, -2}, .5F, Link::kLogistic}};
  const auto scorer = Scorer::own(model);
  ASSERT_TRUE(scorer);
  ASSERT_NE((*scorer)->model(), nullptr);
  EXPECT_EQ((*scorer)->metadata(), model.metadata);
  const float row[]{1, 2};
  Prediction said;
  ASSERT_TRUE((*scorer)->predict(row, {&said, 1}));
  EXPECT_EQ(said, (*scorer)->evaluator()->predict(row));
  EXPECT_EQ((*scorer)->explain(row)->margin, said.margin);
  EXPECT_GT((*scorer)->memory_bytes(), 0U);
}

TEST(Scorer, AsksOthersAndTakesTheirScoreForTheMargin) {
  const auto scorer = foreign(Task::kRegression);
  ASSERT_TRUE(scorer);
  EXPECT_EQ((*scorer)->model(), nullptr);
  const float rows[]{1, 2, 30, 40};
  Prediction said[2];
  ASSERT_TRUE((*scorer)->predict(rows, said));
  EXPECT_DOUBLE_EQ(said[0].score, .5);
  EXPECT_DOUBLE_EQ(said[1].margin, 11);
}

TEST(Scorer, RefusesAnswersThatAreNoNumbersOrNoProbabilities) {
  const float wild[]{100, 0}, unknown[]{std::numeric_limits<float>::quiet_NaN(), 0}, calm[]{1, 1};
  Prediction said;
  const auto values = *foreign(Task::kRegression), classes = *foreign(Task::kClassification);
  EXPECT_TRUE(values->predict(wild, {&said, 1}));
  EXPECT_EQ(classes->predict(wild, {&said, 1}).error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(values->predict(unknown, {&said, 1}).error().code, ErrorCode::kOutOfRange);
  EXPECT_TRUE(classes->predict(calm, {&said, 1}));
}

TEST(Scorer, SaysThatOthersFailed) {
  const auto scorer =
      *Scorer::foreign(metadata(Task::kAnomaly),
                       [](std::span<const float>, std::span<Prediction>) { return false; });
  const float row[]{0, 0};
  Prediction said;
  EXPECT_EQ(scorer->predict(row, {&said, 1}).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(scorer->explain(row).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(scorer->predict({}, {}));
}

TEST(Scorer, ExplainsOthersAgainstTheUsualRow) {
  const float row[]{3, 4};
  const auto why = (*foreign(Task::kRegression, {1, 1}))->explain(row);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->exactness, Exactness::kSampled);
  EXPECT_NEAR(why->expectation, .3, 1e-12);
  EXPECT_NEAR(why->margin, 1.1, 1e-12);
  EXPECT_NEAR(why->contributions[0], .2, 1e-12);
  EXPECT_NEAR(why->contributions[1], .6, 1e-12);
  EXPECT_EQ((*foreign(Task::kRegression))->usual(), (std::vector<float>{0, 0}));
}

TEST(Scorer, NamesAllThatIsWrong) {
  Metadata twice = metadata(Task::kRegression);
  twice.features[1].name = "a";
  twice.line = std::numeric_limits<float>::infinity();
  const auto made = Scorer::foreign(
      twice, [](std::span<const float>, std::span<Prediction>) { return true; }, {1, 2, 3});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().size(), 3U);
}

}  // namespace
}  // namespace liminal::models
