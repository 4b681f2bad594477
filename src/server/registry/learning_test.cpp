#include "server/registry/learning.hpp"

#include <gmock/gmock.h>

#include "core/base/random.hpp"
#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using namespace std::chrono_literals;
using learn::JobState;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kModel = "anomaly_detection";

std::array<float, 4> a_row(Random& random, double shift = 0) {
  return {static_cast<float>(random.normal() + shift), 100, 0, 0};
}

learn::WatchReference a_reference() {
  Random random(1);
  std::array<std::vector<float>, 4> columns;
  learn::WatchReference reference;
  for (int i = 0; i < 2000; ++i) {
    const auto row = a_row(random);
    for (std::size_t f = 0; f < 4; ++f) columns[f].push_back(row[f]);
  }
  const auto features = learn::first_models()[0].features;
  for (std::size_t f = 0; f < 4; ++f)
    reference.features.push_back({features[f], learn::Reference::learn(columns[f])});
  return reference;
}

struct LearningTest : testing::Test {
  files::PosixFileSystem system;
  TestFolder folder;
  std::unique_ptr<Registry> registry = open_registry(system, folder);
  SteadyTime now = at_second(0);
  Learning::Options options;
  std::vector<learn::TrainRequest> asked;
  std::vector<std::string> notes;
  std::string refuse;  ///< what trainings are refused with; empty: they are not
  std::uint64_t words = 0;
  bool under_way = false;

  void publish() {
    auto job = job_of(kModel);
    auto made = trained();
    made.reference = a_reference();
    ASSERT_TRUE(registry->publish(made, learn::Alias::kChampion, job, now));
  }

  Learning::Ports ports() {
    Learning::Ports ports;
    ports.now = [this] { return now; };
    ports.from_traffic = [](const auto& definition) { return definition.name == kModel; };
    ports.under_way = [this](const std::string&) { return under_way; };
    ports.feedback = [this](const std::string&, SteadyTime, std::size_t) { return words; };
    ports.note = [this](const std::string& action, const std::string&, const std::string& detail) {
      notes.push_back(action + " " + detail);
    };
    ports.job = [this](std::uint64_t id) -> learn::Asked<learn::TrainingJob> {
      const auto found = registry->with_records([&](Records& records) { return records.job(id); });
      if (!found || !*found) return learn::refusal(ErrorCode::kMissing, "no job");
      return **found;
    };
    ports.train = [this](const learn::TrainRequest& request) -> learn::Asked<learn::TrainingJob> {
      asked.push_back(request);
      if (!refuse.empty()) return learn::refusal(ErrorCode::kConflict, refuse);
      learn::TrainingJob job;
      job.request = request;
      job.created = now;
      job.state = JobState::kRunning;
      job.id = *registry->with_records([&](Records& records) { return records.add(job); });
      under_way = true;
      return job;
    };
    return ports;
  }
  std::unique_ptr<Learning> open() {
    return std::make_unique<Learning>(*registry, ports(), options);
  }

  void end_job(std::uint64_t id, JobState state) {
    under_way = false;
    registry->with_records([&](Records& records) {
      auto job = **records.job(id);
      job.state = state;
      EXPECT_TRUE(records.update(job));
    });
  }
  void drift(Learning& learning, int rows = 500, double shift = 3) {
    Random random(2);
    for (int i = 0; i < rows; ++i)
      learning.observe(kModel, a_row(random, shift), static_cast<std::uint64_t>(i), now);
  }
};

TEST_F(LearningTest, TrainsAChallengerByTheClockAndSaysWhy) {
  const auto learning = open();
  learning->second();
  EXPECT_THAT(asked, IsEmpty());
  now += 24h;
  learning->second();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_FALSE(asked[0].auto_deploy);
  EXPECT_TRUE(asked[0].leave_out_incidents);
  EXPECT_THAT(notes.back(), HasSubstr("learning.begin job 1: schedule"));
  now += 48h;
  learning->second();
  EXPECT_THAT(asked, SizeIs(1)) << "the first has not ended";
  end_job(1, JobState::kSucceeded);
  learning->second();
  EXPECT_THAT(notes.back(), HasSubstr("learning.end job 1: succeeded"));
  learning->second();
  EXPECT_THAT(asked, SizeIs(1));
  options.mode = traffic::Mode::kEnforce;
  learning->configure(options);
  now += 25h;
  learning->second();
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_TRUE(asked[1].auto_deploy);
}

TEST_F(LearningTest, TrainsWhenTrafficDrifts) {
  publish();
  const auto learning = open();
  learning->second();
  ASSERT_TRUE(learning->watches(kModel));
  drift(*learning, 1000, 0);
  learning->second();
  EXPECT_THAT(asked, IsEmpty());
  now += 1min;
  drift(*learning);
  learning->second();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_THAT(notes.back(), HasSubstr("drift of messages_per_minute"));
  const auto views = learning->views();
  EXPECT_TRUE(views[0].under_way);
  EXPECT_GT(views[0].watch->drift(), 1);
  end_job(1, JobState::kSucceeded);
  learning->second();
  EXPECT_EQ(learning->views()[0].watch->drift(), 0);
}

TEST_F(LearningTest, LooksAtOneRowOfAUserAMinute) {
  publish();
  const auto learning = open();
  learning->second();
  Random random(3);
  for (int i = 0; i < 100; ++i) learning->observe(kModel, a_row(random), 7, now);
  EXPECT_EQ(learning->views()[0].watch->rows(), 1);
  learning->observe(kModel, a_row(random), 7, now + 1min);
  learning->observe(kModel, a_row(random), 8, now);  // of the minute before
  learning->observe("nobody", a_row(random), 8, now + 1min);
  EXPECT_EQ(learning->views()[0].watch->rows(), 2);
}

TEST_F(LearningTest, TrainsForNewWordsOfPeopleAndForDecay) {
  publish();
  options.when.rest = 0s;
  const auto learning = open();
  learning->second();
  words = 60;
  learning->second();
  EXPECT_THAT(asked, IsEmpty()) << "nobody said that there are new ones";
  learning->judged();
  learning->second();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_THAT(notes.back(), HasSubstr("feedback: 60"));
  end_job(1, JobState::kSucceeded);
  words = 0;
  learning->second();
  learning->second();
  EXPECT_THAT(asked, SizeIs(1));
  const std::array<float, 4> row{10, 0, 0, 0};  // of probability 1
  for (int i = 0; i < 60; ++i) learning->observe_truth(kModel, row, 1);
  for (int i = 0; i < 300; ++i) learning->observe_truth(kModel, row, 0);
  learning->second();
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_THAT(notes.back(), HasSubstr("decay"));
}

TEST_F(LearningTest, BacksOffWhenItIsRefused) {
  refuse = "too few rows";
  const auto learning = open();
  now += 24h;
  learning->second();
  learning->second();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_THAT(notes.back(), HasSubstr("learning.refused schedule: it is time: too few rows"));
  EXPECT_EQ(learning->views()[0].not_before, now + 10min);
  now += 10min;
  learning->second();
  EXPECT_THAT(asked, SizeIs(2));
  EXPECT_EQ(learning->views()[0].not_before, now + 20min);
}

TEST_F(LearningTest, OnlySaysWhatItWouldTrainWhenItIsToObserve) {
  options.mode = traffic::Mode::kObserve;
  const auto learning = open();
  now += 24h;
  learning->second();
  learning->second();
  EXPECT_THAT(asked, IsEmpty());
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr("learning.would schedule"));
}

TEST_F(LearningTest, GoesOnAfterAKillAsBefore) {
  publish();
  auto learning = open();
  learning->second();
  drift(*learning, 300, .3);
  ASSERT_TRUE(learning->views()[0].watch);
  const double before = learning->views()[0].watch->drift();
  learning->save();
  learning->second();
  now += 23h;
  learning = open();
  EXPECT_EQ(learning->views()[0].watch->drift(), before);
  EXPECT_EQ(learning->views()[0].next, at_second(0) + 24h);
  now += 1h;
  learning->second();
  ASSERT_THAT(asked, SizeIs(1));
  // Killed while it trains: the job is found failed, and is tried again after the back-off.
  end_job(1, JobState::kFailed);
  learning = open();
  learning->second();
  EXPECT_EQ(learning->views()[0].failures, 1U);
  EXPECT_EQ(learning->views()[0].next, now + 10min);
  learning->second();
  EXPECT_THAT(asked, SizeIs(1));
}

TEST_F(LearningTest, BeginsNoSecondOneBesideAJobThatWasNotKept) {
  auto learning = open();
  now += 24h;
  learn::TrainingJob job = job_of(kModel);
  job.created = now;
  job.state = JobState::kFailed;
  registry->with_records([&](Records& records) { EXPECT_TRUE(records.add(job)); });
  learning = open();
  learning->second();
  EXPECT_THAT(asked, IsEmpty());
  EXPECT_EQ(learning->views()[0].job, 1U);
}

TEST_F(LearningTest, BeginsAnewWithAnotherChampion) {
  publish();
  const auto learning = open();
  learning->second();
  drift(*learning, 100);
  publish();
  learning->second();
  const auto view = learning->views()[0];
  EXPECT_EQ(view.version, 2U);
  ASSERT_TRUE(view.watch);
  EXPECT_EQ(view.watch->rows(), 0);
  ASSERT_TRUE(registry->unload(kModel, learn::Alias::kChampion, "api", "a test", now));
  learning->second();
  EXPECT_FALSE(learning->watches(kModel));
}

TEST_F(LearningTest, ShowsTheSameWithoutAServer) {
  publish();
  const auto learning = open();
  learning->second();
  drift(*learning, 300, .3);
  learning->save();
  const auto kept = registry->with_records([&](Records& records) {
    return Learning::kept(records, registry->models(), options.when, now);
  });
  ASSERT_THAT(kept, SizeIs(1));
  ASSERT_TRUE(kept[0].watch);
  EXPECT_EQ(kept[0].next, at_second(0) + 24h);
  EXPECT_EQ(kept[0].watch->drift(), learning->views()[0].watch->drift());
}

}  // namespace
}  // namespace liminal::registry
