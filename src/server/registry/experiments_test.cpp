#include "server/registry/experiments.hpp"

#include <gmock/gmock.h>

#include "core/base/random.hpp"
#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const std::string kModel = "anomaly_detection";

struct ExperimentTest : testing::Test {
  files::PosixFileSystem system;
  TestFolder folder;
  std::unique_ptr<Registry> registry = open_registry(system, folder);
  int time = 0;

  ExperimentTest() {
    for (const float weight : {-.2F, 1.F}) {
      auto job = job_of(kModel);
      const auto alias = weight < 0 ? learn::Alias::kChampion : learn::Alias::kChallenger;
      EXPECT_TRUE(registry->publish(trained(weight), alias, job, at_second(0)));
    }
  }
  std::unique_ptr<Experiments> open() {
    return std::make_unique<Experiments>(*registry, [this] { return at_second(++time); });
  }
  static learn::ExperimentRequest request(bool split = false) {
    learn::ExperimentRequest wish;
    wish.model = kModel;
    wish.options.mode =
        split ? learn::ExperimentOptions::Mode::kSplit : learn::ExperimentOptions::Mode::kShadow;
    return wish;
  }
  /// A row that is positive when x is.
  static std::array<float, 4> row(float x) { return {x, 100, 0, 0}; }
};

TEST_F(ExperimentTest, AShadowFindsTheBetterOneByWhatPeopleSay) {
  const auto all = open();
  const auto begun = all->begin(request());
  ASSERT_TRUE(begun) << begun.error().text;
  EXPECT_EQ(all->begin(request()).error().code, ErrorCode::kConflict);
  Random random(1);
  for (int i = 0; i < 2000 && all->runs(kModel); ++i) {
    const auto x = static_cast<float>(random.normal());
    all->observe(kModel, row(x), "ann");
    all->observe_truth(kModel, row(x), x > 0 ? 1 : 0, "u" + std::to_string(i));
    all->second();
  }
  const auto ended = all->view(begun->id);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->state, "challenger better");
  EXPECT_GT(ended->difference, 0);
  EXPECT_LT(ended->agreement, .2);  // they say the contrary of each other
  EXPECT_TRUE(ended->latency_us[0] && ended->latency_us[1]);
  ASSERT_THAT(ended->decisions, SizeIs(1));
  EXPECT_THAT(ended->decisions[0].text, HasSubstr("may be loaded"));
  EXPECT_EQ(registry->model(kModel)->champion, 1U);  // only a person changes that
}

TEST_F(ExperimentTest, AUserOfASplitAlwaysMeetsTheSameVersion) {
  const auto all = open();
  ASSERT_TRUE(all->begin(request(true)));
  int challengers = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string user = "u" + std::to_string(i);
    const auto arm = all->arm(kModel, user);
    EXPECT_EQ(all->arm(kModel, user), arm);
    EXPECT_TRUE(!arm || arm->version == 2U);
    if (arm) ++challengers;
  }
  EXPECT_NEAR(challengers, 500, 80);
  EXPECT_EQ(all->arm(kModel, ""), nullptr);
}

TEST_F(ExperimentTest, AGuardRailThatBreaksRollsBack) {
  const auto all = open();
  auto wish = request(true);
  wish.options.guards = {{std::string(Experiments::kAlarmRatio), .05}};
  const auto begun = all->begin(wish);
  ASSERT_TRUE(begun);
  for (int i = 0; i < 5000 && all->runs(kModel); ++i) {
    all->observe(kModel, row(2), "u" + std::to_string(i));
    if (i % 100 == 0) all->second();
  }
  const auto ended = all->view(begun->id);
  EXPECT_EQ(ended->state, "rolled back");
  EXPECT_EQ(all->arm(kModel, "u1"), nullptr);
  EXPECT_EQ(registry->model(kModel)->challenger, std::nullopt);
  EXPECT_EQ((*registry->history(kModel, 1))[0].reason, "a guard rail broke");
}

TEST_F(ExperimentTest, OneLoudUserBreaksNoGuardRail) {
  const auto all = open();
  auto wish = request(true);
  wish.options.guards = {{std::string(Experiments::kAlarmRatio), .05}};
  ASSERT_TRUE(all->begin(wish));
  std::string loud = "loud";
  while (!all->arm(kModel, loud)) loud += "!";
  for (int i = 0; i < 3000; ++i) {
    all->observe(kModel, row(-2), "u" + std::to_string(i % 300));
    all->observe(kModel, row(2), loud);
  }
  EXPECT_TRUE(all->runs(kModel));
}

TEST_F(ExperimentTest, GoesOnAfterARestart) {
  std::uint64_t id = 0;
  {
    const auto all = open();
    id = all->begin(request())->id;
    for (int i = 0; i < 50; ++i) all->observe_truth(kModel, row(1), 1, "u" + std::to_string(i));
    all->second();
  }
  const auto all = open();
  EXPECT_TRUE(all->runs(kModel));
  all->observe_truth(kModel, row(1), 1, "u7");
  EXPECT_EQ(all->view(id)->judged[0], 50) << "who was counted is counted still";
}

/// As after a start with the challenger's file damaged.
struct UnreadableExperimentTest : ExperimentTest {
  std::uint64_t id = 0;
  std::vector<std::string> told;

  UnreadableExperimentTest() {
    id = open()->begin(request())->id;
    registry.reset();
    std::filesystem::resize_file(folder.path() + "/anomaly_detection-2.onnx", 100);
    registry = open_registry(system, folder);
  }
  Experiments opened() {
    return {*registry,
            [this] { return at_second(++time); },
            [this](const std::string& model, std::uint64_t, const std::string& why) {
              told.push_back(model + ": " + why);
            }};
  }
};

TEST_F(UnreadableExperimentTest, EndsWithItsReason) {
  const Experiments all = opened();
  EXPECT_FALSE(all.runs(kModel));
  const auto ended = all.view(id);
  EXPECT_EQ(ended->state, "stopped");
  EXPECT_TRUE(ended->ended);
  ASSERT_THAT(ended->decisions, SizeIs(1));
  EXPECT_THAT(ended->decisions[0].text, HasSubstr("version 2 cannot be read: the file of version"));
  EXPECT_EQ(told, std::vector{kModel + ": " + ended->decisions[0].text});
  told.clear();
  EXPECT_EQ(opened().view(id)->decisions.size(), 1U) << "at the next start it has ended";
  EXPECT_TRUE(told.empty());
}

TEST_F(UnreadableExperimentTest, WaitsForADiskThatDoesNotAnswer) {
  const std::filesystem::path file = folder.path() + "/anomaly_detection-2.onnx";
  registry.reset();
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  registry = open_registry(system, folder);
  EXPECT_EQ(opened().view(id)->state, "running");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0], HasSubstr("version 2 cannot be read"));
}

TEST_F(UnreadableExperimentTest, IsLeftAloneByWhoOnlyReads) {
  registry.reset();
  auto read = Registry::open(system, {.folder = folder.path(), .read_only = true}, at_second(0));
  ASSERT_TRUE(read);
  registry = std::move(*read);
  EXPECT_EQ(opened().view(id)->state, "running");
  EXPECT_TRUE(told.empty());
}

TEST_F(ExperimentTest, StopsWhatIsNotInMemory) {
  const auto before = open();  // it runs for whoever begins it alone
  const auto id = open()->begin(request())->id;
  EXPECT_EQ(before->stop(id, "enough")->state, "stopped");
  EXPECT_EQ(before->view(id)->decisions.size(), 1U);
}

TEST_F(ExperimentTest, BeginsAnewWhereWhatWasObservedCannotBeRead) {
  const auto id = open()->begin(request())->id;
  registry->with_records([](Records& records) {
    ExperimentRow row = records.experiments()->front();
    row.saved = "nonsense";
    EXPECT_TRUE(records.update(row));
  });
  const auto all = open();
  EXPECT_TRUE(all->runs(kModel));
  ASSERT_THAT(all->view(id)->decisions, SizeIs(1));
  EXPECT_THAT(all->view(id)->decisions[0].text, HasSubstr("begins anew"));
}

TEST_F(ExperimentTest, OneAlertThatIsJudgedAgainAndAgainCountsOnce) {
  const auto all = open();
  const auto id = all->begin(request())->id;
  for (int i = 0; i < 400; ++i) all->observe_truth(kModel, row(1), 1, "ann");
  const auto shown = all->view(id);
  EXPECT_EQ(shown->judged[0], 1);
  EXPECT_EQ(shown->state, "running");
}

TEST_F(ExperimentTest, TheRatioOfASplitIsOfUsersThatCome) {
  const auto all = open();
  const auto id = all->begin(request(true))->id;
  EXPECT_EQ(all->view(id)->difference, std::nullopt);
  for (int i = 0; i < 45; ++i) {
    all->observe(kModel, row(1), "ann");
    all->observe_truth(kModel, row(1), 1, "ann");
  }
  EXPECT_EQ(all->view(id)->state, "running") << "one user is no ratio";
  for (int i = 0; i < 300; ++i) all->observe(kModel, row(1), "u" + std::to_string(i));
  const auto shown = all->view(id);
  EXPECT_NEAR(shown->share_observed, .5, .1);
  EXPECT_FALSE(shown->ratio_mismatch);
  EXPECT_EQ(shown->difference, std::nullopt) << "nobody of the other arm was judged";
  EXPECT_TRUE(shown->latency_us[0] && shown->latency_us[1]);
  EXPECT_GT(shown->scored, 100);
}

/// A champion and a challenger of `load_prediction`, which say the rate times 1 and 1.5.
struct LoadExperiment : testing::Test {
  const std::string load{learn::kLoadPrediction};
  files::PosixFileSystem system;
  TestFolder folder;
  std::unique_ptr<Registry> registry = open_registry(system, folder);
  int minute = 0;

  LoadExperiment() {
    for (const float weight : {1.F, 1.5F}) {
      learn::TrainedModel made = trained(weight);
      made.model.metadata.task = models::Task::kRegression;
      made.model.metadata.features.clear();
      for (const std::string& feature : registry->definition(load)->features)
        made.model.metadata.features.push_back({feature, ""});
      made.model.metadata.facts.emplace_back("half_width.0.9", "10");
      made.model.predictor = models::Linear{{}, {weight, 0, 0}, 0, models::Link::kIdentity};
      auto job = job_of(load);
      const auto alias = weight == 1 ? learn::Alias::kChampion : learn::Alias::kChallenger;
      EXPECT_TRUE(registry->publish(made, alias, job, at_second(0)));
    }
  }
  std::unique_ptr<Experiments> open() {
    return std::make_unique<Experiments>(*registry, [this] { return at_second(60 * minute); });
  }
  [[nodiscard]] learn::ExperimentRequest request() const {
    learn::ExperimentRequest wish;
    wish.model = load;
    wish.usual_effect = true;
    return wish;
  }
  void observe(Experiments& all, int minutes) {
    for (int i = 0; i < minutes; ++i, ++minute) {
      all.observe_truth(load, std::array{100.F, 0.F, 0.F}, 90 + minute % 7, "");
      if (minute % 60 == 0) all.second();
    }
    all.second();
  }
};

TEST_F(LoadExperiment, CountsHoursAndAPartOfTheChampionsError) {
  const auto all = open();
  const auto id = all->begin(request())->id;
  EXPECT_EQ(all->view(id)->options.block, std::chrono::hours{1});
  observe(*all, 60);
  EXPECT_EQ(all->view(id)->difference, std::nullopt) << "and not 0, before there is one";
  observe(*all, 47 * 60);
  EXPECT_EQ(all->view(id)->state, "running") << "the second day is not over";
  EXPECT_EQ(all->view(id)->effect, std::nullopt);
  observe(*all, 1);
  const auto ended = all->view(id);
  EXPECT_EQ(ended->state, "champion better");
  // 4 to 10 off: a twentieth of 53.
  EXPECT_NEAR(ended->effect.value_or(0), 2.65, .1);
}

TEST_F(LoadExperiment, GoesOnByHoursAfterARestart) {
  const auto id = open()->begin(request())->id;
  observe(*open(), 30 * 60 + 20);
  {
    const auto all = open();
    EXPECT_THAT(all->view(id)->decisions, SizeIs(0));
    EXPECT_EQ(all->view(id)->options.block, std::chrono::hours{1});
    EXPECT_EQ(all->view(id)->options.effect_ratio, .05);
    EXPECT_EQ(all->view(id)->judged[0], 30 * 60 + 20);
    observe(*all, 48 * 60 - minute);
    EXPECT_EQ(all->view(id)->state, "running");
    observe(*all, 1);
    EXPECT_EQ(all->view(id)->state, "champion better");
  }
  const auto ended = open()->view(id);
  EXPECT_EQ(ended->state, "champion better");
  EXPECT_NEAR(ended->effect.value_or(0), 2.65, .1) << "also of one that is over";
}

TEST_F(LoadExperiment, IsNoSplit) {
  auto wish = request();
  wish.options.mode = learn::ExperimentOptions::Mode::kSplit;
  const auto all = open();
  const auto refused = all->begin(wish);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().problems[0].key, "mode");
  EXPECT_THAT(refused.error().problems[0].text, HasSubstr("must be shadow"));
  EXPECT_FALSE(all->runs(load));
}

TEST_F(LoadExperiment, ThatWasASplitEndsAtAStart) {
  const auto id = open()->begin(request())->id;
  registry->with_records([](Records& records) {
    ExperimentRow row = records.experiments()->front();
    row.options =
        R"({"split":true,"share":0.5,"alpha":0.05,"effect":0.01,"rows_min":100,"salt":"7","guards":[]})";
    EXPECT_TRUE(records.update(row));
  });
  const auto all = open();
  EXPECT_FALSE(all->runs(load));
  EXPECT_EQ(all->view(id)->state, "stopped");
  EXPECT_THAT(all->view(id)->decisions[0].text, HasSubstr("must be shadow"));
}

TEST_F(LoadExperiment, ThatTookMinutesForIndependentBeginsAnew) {
  const auto id = open()->begin(request())->id;
  registry->with_records([](Records& records) {
    ExperimentRow row = records.experiments()->front();
    // As it was kept before there were blocks.
    row.options =
        R"({"split":false,"share":0.5,"alpha":0.05,"effect":0.01,"rows_min":100,"salt":"7","guards":[]})";
    EXPECT_TRUE(records.update(row));
  });
  const auto all = open();
  EXPECT_EQ(all->view(id)->options.block, std::chrono::hours{1});
  EXPECT_THAT(all->view(id)->decisions[0].text, HasSubstr("begins anew"));
  observe(*all, 5);
  EXPECT_EQ(open()->view(id)->decisions.size(), 1U) << "and goes on";
  EXPECT_EQ(open()->view(id)->judged[0], 5);
}

TEST_F(LoadExperiment, ValuesAgreeWithinTheChampionsInterval) {
  Experiments all(*registry, [] { return at_second(1); });
  learn::ExperimentRequest wish;
  wish.model = load;
  wish.options.guards = {{std::string(Experiments::kAlarmRatio), .05}};
  EXPECT_EQ(all.begin(wish).error().problems[0].key, "guards[0].name");
  wish.options.guards.clear();
  const auto id = all.begin(wish)->id;
  all.observe(load, std::array{10.F, 0.F, 0.F}, "");   // 10 and 15
  all.observe(load, std::array{100.F, 0.F, 0.F}, "");  // 100 and 150
  EXPECT_EQ(all.view(id)->agreement, .5);
}

TEST_F(ExperimentTest, EndsWhenItIsStoppedOrTheChampionChanges) {
  const auto all = open();
  const auto first = all->begin(request());
  EXPECT_EQ(all->stop(first->id, "enough")->state, "stopped");
  EXPECT_EQ(all->stop(first->id, "enough")->decisions.size(), 1U);
  EXPECT_EQ(all->stop(99, "enough").error().code, ErrorCode::kMissing);
  const auto second = all->begin(request());
  ASSERT_TRUE(registry->load(kModel, 2, "api", "swap", at_second(9)));
  all->second();
  EXPECT_FALSE(all->runs(kModel));
  EXPECT_EQ(all->view(second->id)->decisions[0].text, "the champion changed");
  EXPECT_EQ(all->begin(request()).error().code, ErrorCode::kConflict);  // no challenger is left
}

TEST_F(ExperimentTest, SaysWhichFieldsAreWrong) {
  const auto all = open();
  auto wrong = request();
  wrong.options.share = 2;
  EXPECT_EQ(all->begin(wrong).error().problems[0].key, "share");
  wrong = request();
  wrong.model = "nobody";
  EXPECT_EQ(all->begin(wrong).error().problems[0].key, "model_name");
}

}  // namespace
}  // namespace liminal::registry
