#include "server/training/unsupervised.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::training {
namespace {

using testing::HasSubstr;

const Telling kNobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};

BuiltinOptions options(bool unsupervised) {
  BuiltinOptions made;
  made.definition = {"odd",
                     unsupervised ? models::Task::kClassification : models::Task::kAnomaly,
                     {"rate", "size"},
                     unsupervised ? "y" : ""};
  made.request.model = "odd";
  made.request.source = learn::DataSource::kFile;
  made.request.unsupervised = unsupervised;
  return made;
}

/// Rows over time, every hundredth far away.
Rows made_up(std::size_t count, bool labelled) {
  Random random(4);
  Rows rows;
  rows.table.features = {{"rate", "", {}}, {"size", "", {}}};
  for (std::size_t i = 0; i < count; ++i) {
    const bool odd = i % 100 == 7;
    rows.table.values.push_back(static_cast<float>(random.normal() + (odd ? 8 : 0)));
    rows.table.values.push_back(static_cast<float>(random.normal()));
    rows.table.times_s.push_back(static_cast<double>(i));
    if (labelled) rows.table.labels.push_back(odd ? 1 : 0);
  }
  return rows;
}

double metric(const learn::TrainedModel& made, const std::string& name) {
  for (const auto& [key, value] : made.metrics)
    if (key == name) return value;
  return NAN;
}

TEST(Unsupervised, LearnsWhatIsUsualAndSaysThatNobodyKnowsWhetherItIsGood) {
  const auto made = train_builtin(made_up(2000, false), options(false), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->model.metadata.task, models::Task::kAnomaly);
  EXPECT_FALSE(made->better);
  EXPECT_THAT(made->reasons[0], HasSubstr("nothing says that it is better"));
  EXPECT_NEAR(metric(*made, "alarm_ratio"), .01, .01);
  EXPECT_GT(metric(*made, "rank_agreement"), .7);
  EXPECT_TRUE(std::isnan(metric(*made, "roc_auc")));
  EXPECT_EQ(metric(*made, "held_out_rows"), 500);
  EXPECT_THAT(made->report, HasSubstr("a forest of all rows"));
  const auto evaluator = models::Evaluator::create(made->model);
  ASSERT_TRUE(evaluator);
  const float usual[]{0, 0}, odd[]{9, 0};
  EXPECT_LT(evaluator->predict(usual).score, static_cast<double>(made->model.metadata.line));
  EXPECT_GE(evaluator->predict(odd).score, static_cast<double>(made->model.metadata.line));
}

TEST(Unsupervised, IsJudgedByLabelsThatItWasNotTold) {
  const auto told = train_builtin(made_up(2000, true), options(true), kNobody);
  const auto untold = train_builtin(made_up(2000, false), options(true), kNobody);
  ASSERT_TRUE(told && untold);
  EXPECT_EQ(told->model.predictor, untold->model.predictor);
  EXPECT_GT(metric(*told, "roc_auc"), .95);
  EXPECT_FALSE(told->better);
  EXPECT_THAT(told->report, HasSubstr("\"precision_recall\""));
}

TEST(Unsupervised, SaysHowManyRowsAreMissingAndEndsWhenItIsCancelled) {
  const auto few = train_builtin(made_up(150, false), options(true), kNobody);
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().rows_missing, 50U);
  const Telling impatient{[] { return true; }, kNobody.tell};
  EXPECT_EQ(train_builtin(made_up(2000, false), options(true), impatient).error().text,
            "cancelled");
}

}  // namespace
}  // namespace liminal::training
