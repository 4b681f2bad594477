#include <gmock/gmock.h>

#include <algorithm>

#include "server/training/test_rows.hpp"

namespace liminal::training {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Blend, WordsSayWhatItIsWorthAndCosts) {
  learn::Figures blend = learn::kNoFigures, answers = learn::kNoFigures;
  blend.roc_auc = .75;
  answers.roc_auc = .5;
  EXPECT_THAT(words_of_blend(answers, blend, {40.5, 496}), HasSubstr("AUC 0.75 to 0.5, at 40.5"));
}

const learn::ModelDefinition kValues{"v", models::Task::kRegression, {"a", "b"}, "y"};

/// Values of which a model of some kilobytes knows a little less than a blend.
Rows values_made_up() {
  Rows rows;
  rows.table.features = {{"a", "", {}}, {"b", "", {}}};
  Random random(17);
  for (int i = 0; i < 800; ++i) {
    const double a = random.normal(), b = random.normal();
    rows.table.values.push_back(static_cast<float>(a));
    rows.table.values.push_back(static_cast<float>(b));
    rows.table.labels.push_back(static_cast<float>(a + a * b + .2 * random.normal()));
    rows.table.times_s.push_back(i);
  }
  return rows;
}

/// What trains with so little room that a blend does not answer.
BuiltinOptions limited_values() {
  BuiltinOptions limited = options(kValues);
  limited.gate.memory_bytes_max = 8e3;
  return limited;
}

TEST(Blend, TheBestBlendIsKeptForBatchesWhereItIsTooDearToAnswer) {
  const auto made = train_builtin(values_made_up(), limited_values(), kNobody);
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_TRUE(made->batches) << testing::PrintToString(made->reasons);
  const auto answers = models::Evaluator::create(made->model);
  const auto blend = models::Evaluator::create(made->batches->model);
  ASSERT_TRUE(answers && blend);
  EXPECT_GT(blend->memory_bytes(), answers->memory_bytes());
  EXPECT_GT(made->batches->us_row, 0);
  const models::Metadata& metadata = made->batches->model.metadata;
  EXPECT_EQ(metadata.features, made->model.metadata.features);
  EXPECT_EQ(metadata.facts.back().first, "fitted");
  EXPECT_GT(made->leaderboard.front().us_row, 0);
  const std::string& report = made->batches->report;
  EXPECT_THAT(report, HasSubstr("\"leaderboard\":[{\"recipe\":\"the blend of "));
  EXPECT_THAT(report, HasSubstr("\"best_for_batches\":{\"held_out\":{\"mean_absolute_error\":"));
  EXPECT_THAT(report, testing::EndsWith("\"fitted_again_on_all_rows\":true}}"));
  EXPECT_THAT(made->batches->words, HasSubstr("for batches the best blend is kept beside: MAE"));
  EXPECT_THAT(made->report, Not(HasSubstr("for batches\""))) << "where it is not kept";
  EXPECT_THAT(made->report, Not(HasSubstr("best_for_batches")));
}

TEST(Blend, ABlendThatCannotBeFittedAgainCostsNothingElse) {
  BuiltinOptions limited = limited_values();
  int again = 0;
  limited.fitting = [&again, here = fitting_here()](const FitSource& source) -> MakeFitter {
    if (!source.all || ++again == 1) return here(source);
    return [] {
      return learn::Fitter([](const learn::Material&, const auto&, double, const auto&) {
        return Result<learn::Fit>(failure(ErrorCode::kUnavailable));
      });
    };
  };
  const auto made = train_builtin(values_made_up(), limited, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(again, 2);
  EXPECT_FALSE(made->batches);
  EXPECT_TRUE(says(*made, "no blend is kept for batches: the chosen model could not be fitted"));
  EXPECT_TRUE(models::Evaluator::create(made->model));
}

TEST(Blend, ABlendThatIsNotBetterIsNotKept) {
  Rows rows = made_up(true, true);
  // The rows that judge are all alike, so that every model is as good as another.
  for (const std::uint32_t row : hold_out_classes(rows.table, 1).test)
    std::fill_n(&rows.table.values[std::size_t{3} * row], 3, 0.F);
  BuiltinOptions limited = options();
  limited.gate.memory_bytes_max = 60 * 1024;
  const auto made = train_builtin(rows, limited, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->batches);
  EXPECT_TRUE(says(*made, "no blend is kept for batches: the best one is not better"))
      << testing::PrintToString(made->reasons);
}

TEST(Blend, TheTimeOfABlendIsThatOfItsOwnMembers) {
  std::vector<learn::LeaderboardLine> lines(3);
  lines[0].weight = .7;
  lines[0].fits = 5;
  lines[0].cost_s = 100;
  lines[1].weight = .3;
  lines[1].fits = 2;
  lines[1].cost_s = .1;
  lines[2].fits = 1;
  lines[2].cost_s = 60;
  EXPECT_DOUBLE_EQ(seconds_of_blend(lines), 20.05);
}

}  // namespace
}  // namespace liminal::training
