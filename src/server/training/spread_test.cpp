#include "server/training/spread.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "server/training/test_rows.hpp"

namespace liminal::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A model as XGBoost 3 saves it: one tree that says yes from a rate of 1.5 on.
std::string booster(const std::string& base_score) {
  using nlohmann::json;
  const json tree = {{"left_children", {1, -1, -1}},
                     {"right_children", {2, -1, -1}},
                     {"split_indices", {0, 0, 0}},
                     {"split_conditions", {1.5, -4., 1.25}},
                     {"default_left", {1, 0, 0}},
                     {"sum_hessian", {100., 80., 20.}}};
  const json model = {{"trees", {tree}}, {"gbtree_model_param", {{"num_parallel_tree", "1"}}}};
  const json all = {{"learner",
                     {{"gradient_booster", {{"model", model}}},
                      {"objective", {{"name", "binary:logistic"}}},
                      {"learner_model_param", {{"base_score", base_score}}}}}};
  const auto bytes = json::to_ubjson(all);
  return {bytes.begin(), bytes.end()};
}

/// What a cluster is told, and what it answers.
struct There {
  Rows rows = made_up(true, false);
  learn::Asked<SpreadFit> fit = SpreadFit{booster("[5E-1]"), 9'000'000, 1, 2, .9, 3, "one tree"};
  SpreadWish wish{};
  std::optional<Parting> parting{};
  bool ended = false;
};

class FakeSpread final : public Spread {
 public:
  explicit FakeSpread(There& there) : there_(there) {}
  ~FakeSpread() override { there_.ended = true; }
  learn::Asked<SpreadSample> sample(const Telling&) override {
    learn::Table table = there_.rows.table;
    table.weights.clear();
    return SpreadSample{std::move(table), 12'000'000, 7, 2'400'000};
  }
  learn::Asked<SpreadFit> grow(const Parting& parting, const Telling&) override {
    there_.parting = parting;
    return there_.fit;
  }

 private:
  There& there_;
};

learn::Asked<learn::TrainedModel> train(There& there,
                                        const BuiltinOptions& how = options(),
                                        const Telling& telling = kNobody) {
  return train_spread(
      {"/rows/a.csv", "/rows/b.csv"},
      kRowsBytesMax,
      how,
      [&](const SpreadWish& wish) {
        there.wish = wish;
        return std::make_unique<FakeSpread>(there);
      },
      telling);
}

TEST(TrainSpread, JudgesWhatWasGrownElsewhereByTheSampleThatIsHeldOut) {
  There there;
  const auto made = train(there);
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_TRUE(there.parting);
  EXPECT_TRUE(there.parting->users);
  EXPECT_TRUE(there.parting->cut);
  EXPECT_TRUE(there.ended);
  EXPECT_EQ(models::number_fact(made->model.metadata, "held_out.after_s"),
            there.parting->cut->begin_s)
      << "rows that are not in the sample were learnt from up to there";
  EXPECT_TRUE(made->foreign.empty());
  EXPECT_EQ(made->model.metadata.trainer, "ray");
  EXPECT_EQ(*models::find_fact(made->model.metadata, "rows"), "9000000");
  EXPECT_GT(metric(*made, "roc_auc"), .85);
  EXPECT_TRUE(made->better) << ::testing::PrintToString(made->reasons);
  ASSERT_THAT(made->leaderboard, SizeIs(1));
  EXPECT_EQ(made->leaderboard[0].recipe, "one tree");
  for (const char* words : {"12000000 rows of 2 files",
                            "7 rows without y are left out",
                            "9000000 rows were learnt from by 2 workers",
                            "later rows of other users"})
    EXPECT_THAT(made->report, HasSubstr(words));
}

TEST(TrainSpread, AsksForWhatTheBudgetsAllow) {
  There there;
  auto how = options();
  how.gate.latency_us_max = 5;
  how.request.workers = 3;
  how.request.budget_s = 70;
  ASSERT_TRUE(train(there, how));
  EXPECT_EQ(there.wish.rounds_max, 200U);
  EXPECT_EQ(there.wish.workers, 3U);
  EXPECT_EQ(there.wish.budget_s, 70);
  EXPECT_EQ(there.wish.sample_rows, 400'000U);
}

TEST(TrainSpread, SaysWhyNothingCame) {
  There there;
  there.fit = learn::refusal(ErrorCode::kUnavailable, "a worker died four times");
  EXPECT_EQ(train(there).error().text, "a worker died four times");
  there.fit = SpreadFit{"no model"};
  EXPECT_THAT(train(there).error().text, HasSubstr("not understood"));
  there.fit = SpreadFit{booster("[5E-1,5E-1]")};
  EXPECT_FALSE(train(there)) << "of two outputs";
  there.rows.table = there.rows.table.chosen(std::vector<std::uint32_t>{0, 1, 2, 3});
  const auto few = train(there);
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, ErrorCode::kConflict);
  EXPECT_GT(few.error().rows_missing, 0U);
  EXPECT_TRUE(there.ended);
}

TEST(TrainSpread, EndsWhenItIsCancelled) {
  There there;
  const auto stopped = train(there, options(), {[] { return true; }, kNobody.tell});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().text, "cancelled");
}

}  // namespace
}  // namespace liminal::training
