#include "server/training/begin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/random.hpp"

namespace liminal::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const Telling kNobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};

learn::ModelDefinition defined(models::Task task) {
  return {"made_up", task, {"a", "b"}, task == models::Task::kClassification ? "label" : ""};
}

/// Rows of two features, of which every `odd`th has label 1.
Rows rows_of(std::size_t count, std::size_t odd) {
  Rows rows;
  rows.table.features = {{"a", "", {}}, {"b", "", {}}};
  Random random(1);
  for (std::size_t i = 0; i < count; ++i) {
    rows.table.values.push_back(static_cast<float>(random.uniform()));
    rows.table.values.push_back(static_cast<float>(random.uniform()));
    rows.table.labels.push_back(i % odd == 0 ? 1.F : 0.F);
  }
  return rows;
}

Source with(Rows rows) {
  Source out;
  out.rows = [rows = std::move(rows)](const auto&, const auto&) { return rows; };
  return out;
}

/// What of a registry a training needs: one clustering, and perhaps its champion.
struct FakeRegistry {
  struct Version {
    std::uint32_t version = 1;
    std::shared_ptr<const models::Scorer> scorer;
  };
  learn::ModelDefinition model = defined(models::Task::kClustering);
  std::shared_ptr<Version> now;

  [[nodiscard]] const learn::ModelDefinition* definition(const std::string&) const {
    return &model;
  }
  [[nodiscard]] std::shared_ptr<const Version> champion(const std::string&) const { return now; }
  [[nodiscard]] static std::optional<double> made_s(const std::string&, std::uint32_t) {
    return std::nullopt;
  }
  [[nodiscard]] static std::shared_ptr<const models::Scorer> judged(const std::string&,
                                                                    std::uint32_t) {
    return nullptr;
  }
  [[nodiscard]] static std::uint32_t compared_with(const std::string&, std::uint32_t) { return 0; }
  [[nodiscard]] static std::optional<learn::WatchReference> reference(const std::string&,
                                                                      std::uint32_t) {
    return std::nullopt;
  }
};

struct FakeJobs {
  struct Watch {
    [[nodiscard]] static bool cancelled() { return false; }
    static void tell(double, const std::vector<learn::JobLine>&) {}
  };
  bool occupied = false;
  std::function<learn::Asked<learn::TrainedModel>(Watch&)> work;

  [[nodiscard]] bool busy(const std::string&) const { return occupied; }
  learn::Asked<learn::TrainingJob> submit(const learn::TrainRequest& request, auto begun) {
    work = std::move(begun);
    learn::TrainingJob job;
    job.request = request;
    return job;
  }
};

std::string field(const learn::Asked<Work>& work) {
  return work || work.error().problems.empty() ? "" : work.error().problems[0].key;
}

TEST(PrepareTraining, NamesTheFieldThatIsWrong) {
  const auto groups = defined(models::Task::kClustering);
  learn::TrainRequest request;
  EXPECT_EQ(field(prepare_training(nullptr, request, with({}))), "model_name");
  request.trainer = "nobody";
  EXPECT_EQ(field(prepare_training(&groups, request, with({}))), "trainer");
  request = {};
  request.unsupervised = true;
  EXPECT_EQ(field(prepare_training(&groups, request, with({}))), "unsupervised");
  request = {};
  request.injected_abuse = true;
  EXPECT_EQ(field(prepare_training(&groups, request, with({}))), "injected_abuse");
  const auto others = defined(models::Task::kClassification);
  EXPECT_EQ(field(prepare_training(&others, request, with({}))), "injected_abuse")
      << "abuse shows in users' features alone";
  const learn::ModelDefinition abuse = learn::first_models()[0];
  EXPECT_EQ(field(prepare_training(&abuse, request, with({}))), "");
  request.trainer = "kenning";
  EXPECT_EQ(field(prepare_training(&abuse, request, with({}))), "injected_abuse");
  request = {};
  request.source = learn::DataSource::kFile;
  request.file = "../rows.csv";
  EXPECT_EQ(field(prepare_training(&groups, request, with({}))), "file");
}

class FileTraining : public ::testing::Test {
 protected:
  FileTraining() {
    source_.folder = ::testing::TempDir() + "liminal-begin-XXXXXX";
    if (mkdtemp(source_.folder.data()) == nullptr) std::abort();
    request_.source = learn::DataSource::kFile;
    request_.file = "rows.csv";
    request_.fits_max = 8;
    source_.rows = [](const auto&, const auto&) -> learn::Asked<Rows> {
      ADD_FAILURE();
      return Rows{};
    };
  }
  ~FileTraining() override { std::filesystem::remove_all(source_.folder); }

  void write(std::size_t rows, const std::string& last = "") const {
    std::ofstream out(source_.folder + "/rows.csv");
    out << "a,b,label\n";
    for (std::size_t i = 0; i < rows; ++i) out << i % 7 << ',' << i % 2 << ',' << i % 2 << '\n';
    out << last;
  }
  [[nodiscard]] learn::Asked<learn::TrainedModel> run(const Telling& telling = kNobody) const {
    const auto work = prepare_training(&model_, request_, source_);
    if (!work) return tl::unexpected(work.error());
    return (*work)({}, telling);
  }

  const learn::ModelDefinition model_ = defined(models::Task::kClassification);
  learn::TrainRequest request_;
  Source source_;
};

TEST_F(FileTraining, ReadsTheFileInTheJob) {
  write(300);
  const auto work = prepare_training(&model_, request_, source_);
  ASSERT_TRUE(work);
  write(300, "1,2,x\n");
  EXPECT_THAT((*work)({}, kNobody).error().text, HasSubstr("rows.csv:302: label is a third value"));
  write(300);
  const auto made = run();
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->report, HasSubstr("300 rows of rows.csv"));
}

TEST_F(FileTraining, SaysInTheJobHowManyRowsAreMissing) {
  write(30);
  const auto few = run();
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, ErrorCode::kConflict);
  EXPECT_EQ(few.error().rows_missing, 50U);
}

TEST_F(FileTraining, StopsReadingWhenItIsCancelled) {
  write(5000, "1,2,x\n");
  int asked = 0;
  const auto stopped = run({[&] { return ++asked > 2; }, kNobody.tell});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().text, "cancelled") << "and not what is wrong at its end";
  EXPECT_EQ(asked, 3);
}

TEST(PrepareTraining, SaysWhatRowsWithoutLabelsWouldDoFor) {
  const auto classes = defined(models::Task::kClassification);
  const auto few = prepare_training(&classes, {}, with(rows_of(300, 100)));
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, ErrorCode::kConflict);
  EXPECT_EQ(few.error().rows_missing, 37U);
  EXPECT_THAT(few.error().text, HasSubstr("unsupervised"));
  const auto fewer = prepare_training(&classes, {}, with(rows_of(50, 10)));
  ASSERT_FALSE(fewer);
  EXPECT_THAT(fewer.error().text, Not(HasSubstr("unsupervised")));
}

TEST(PrepareTraining, LearnsWithoutLabelsWhatIsUsual) {
  const auto classes = defined(models::Task::kClassification);
  learn::TrainRequest request;
  request.unsupervised = true;
  const auto work = prepare_training(&classes, request, with(rows_of(300, 100)));
  ASSERT_TRUE(work);
  const auto made = (*work)({}, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->model.metadata.task, models::Task::kAnomaly);
  EXPECT_FALSE(made->better);
}

TEST(PrepareTraining, CarriesFitsOutWhereTheClusterIs) {
  const auto classes = defined(models::Task::kClassification);
  learn::TrainRequest request;
  request.trainer = "ray";
  request.fits_max = 8;
  Source source = with(rows_of(300, 2));
  EXPECT_EQ(field(prepare_training(&classes, request, source)), "trainer");
  int prepared = 0;
  source.ray =
      std::make_shared<const Cluster>(Cluster{[] { return 2U; },
                                              [&prepared](const FitSource& fits) {
                                                ++prepared;
                                                return fitting_here()(fits);
                                              },
                                              [] { return std::string("a node is gone"); }});
  const auto groups = defined(models::Task::kClustering);
  EXPECT_EQ(field(prepare_training(&groups, request, source)), "trainer");
  const auto work = prepare_training(&classes, request, source);
  ASSERT_TRUE(work);
  const auto made = (*work)({}, kNobody);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_GE(prepared, 1);
}

TEST_F(FileTraining, SpreadsItOverTheClusterWhereThatIsAskedFor) {
  write(300);
  request_.distributed = true;
  EXPECT_EQ(field(prepare_training(&model_, request_, source_)), "distributed") << "by builtin";
  request_.trainer = "ray";
  source_.ray = std::make_shared<const Cluster>(
      Cluster{[] { return 2U; }, fitting_here(), [] { return std::string(); }});
  EXPECT_EQ(field(prepare_training(&model_, request_, source_)), "fits_max");
  request_.fits_max = 0;
  EXPECT_EQ(field(prepare_training(&model_, request_, source_)), "distributed") << "not there";
  class Nothing final : public Spread {
   public:
    explicit Nothing(std::vector<std::string> files) : files_(std::move(files)) {}
    learn::Asked<SpreadSample> sample(const Telling&) override {
      return learn::refusal(ErrorCode::kMalformed, files_.at(0) + " is no table");
    }
    learn::Asked<SpreadFit> grow(const Parting&, const Telling&) override { return SpreadFit{}; }

   private:
    std::vector<std::string> files_;
  };
  source_.ray = std::make_shared<const Cluster>(
      Cluster{[] { return 2U; },
              fitting_here(),
              [] { return std::string(); },
              [](const SpreadWish& wish) { return std::make_unique<Nothing>(wish.files); }});
  EXPECT_THAT(run().error().text, HasSubstr("rows.csv is no table"));
  request_.file = "../" + source_.folder;
  EXPECT_EQ(field(prepare_training(&model_, request_, source_)), "file");
  request_.source = learn::DataSource::kStore;
  EXPECT_EQ(field(prepare_training(&model_, request_, source_)), "data_source");
}

TEST(PrepareTraining, HasAClusterElsewhereTrainOnItsOwnRows) {
  const auto classes = defined(models::Task::kClassification);
  learn::TrainRequest request;
  request.trainer = "ray";
  request.seed = 9;
  Source source = with({});
  source.there = [](const learn::ModelDefinition& definition,
                    const learn::TrainRequest& asked,
                    const Telling&) -> learn::Asked<learn::TrainedModel> {
    return learn::refusal(ErrorCode::kUnavailable,
                          definition.name + " by seed " + std::to_string(asked.seed));
  };
  const auto work = prepare_training(&classes, request, source);
  ASSERT_TRUE(work);
  EXPECT_EQ((*work)({}, kNobody).error().text, classes.name + " by seed 9");
  const auto groups = defined(models::Task::kClustering);
  EXPECT_EQ(field(prepare_training(&groups, request, source)), "trainer");
}

TEST(PrepareTraining, HoldsTheBudgetOfMessagesAgainstModelsOfMessagesAlone) {
  auto model = defined(models::Task::kClassification);
  learn::TrainRequest request;
  request.fits_max = 8;
  const auto reasons = [&] {
    const auto work = prepare_training(&model, request, with(rows_of(300, 2)));
    EXPECT_TRUE(work);
    const auto made = (*work)({}, kNobody);
    EXPECT_TRUE(made);
    return made ? made->reasons : std::vector<std::string>{};
  };
  EXPECT_THAT(reasons(), Contains(HasSubstr("budget 1000.00 µs")));
  model.name = learn::kAnomalyDetection;
  EXPECT_THAT(reasons(), Contains(HasSubstr("budget 5.00 µs")));
}

TEST(BeginTraining, JudgesByTheChampionOfWhenItRuns) {
  FakeRegistry registry;
  FakeJobs jobs;
  const auto job = begin_training(registry, jobs, {}, with(rows_of(60, 2)));
  ASSERT_TRUE(job);
  models::Model before;
  before.metadata.task = models::Task::kClustering;
  before.metadata.features = {{"a", ""}, {"b", ""}};
  before.predictor = models::KMeans{{}, 1, {0, 0}};
  registry.now = std::make_shared<FakeRegistry::Version>();
  registry.now->scorer = *models::Scorer::own(before);
  FakeJobs::Watch watch;
  const auto made = jobs.work(watch);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->reasons, Contains(HasSubstr("for a person to say")));
}

TEST(BeginTraining, ReadsItsRowsWhenItsTurnComes) {
  FakeRegistry registry;
  FakeJobs jobs;
  Source source;
  int times = 0;
  std::size_t count = 60;
  source.rows = [&](const auto&, const auto&) -> learn::Asked<Rows> {
    ++times;
    return rows_of(count, 2);
  };
  ASSERT_TRUE(begin_training(registry, jobs, {}, source));
  EXPECT_EQ(times, 1) << "read to say what is missing";
  count = 30;
  FakeJobs::Watch watch;
  const auto few = jobs.work(watch);
  EXPECT_EQ(times, 2) << "and again when its turn came";
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().rows_missing, 10U);
}

TEST(BeginTraining, ReadsNoRowsWhileAnotherOneIsUnderWay) {
  FakeRegistry registry;
  FakeJobs jobs;
  jobs.occupied = true;
  Source source;
  source.rows = [](const auto&, const auto&) -> learn::Asked<Rows> {
    ADD_FAILURE();
    return Rows{};
  };
  EXPECT_EQ(begin_training(registry, jobs, {}, source).error().code, ErrorCode::kConflict);
}

TEST(PrepareTraining, KnowsWhatUsersFeaturesCannotTrain) {
  learn::ModelDefinition model{"m", models::Task::kClustering, {"messages_per_minute"}, ""};
  EXPECT_FALSE(not_of_users(model));
  model.task = models::Task::kRegression;
  EXPECT_TRUE(not_of_users(model));
  model.task = models::Task::kAnomaly;
  EXPECT_FALSE(not_of_users(model));
  model.features.emplace_back("age");
  EXPECT_THAT(not_of_users(model)->problems.at(0).text, HasSubstr("age"));
}

}  // namespace
}  // namespace liminal::training
