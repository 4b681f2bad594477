#include "server/registry/jobs.hpp"

#include <gmock/gmock.h>

#include <future>

#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using learn::JobState;
using testing::HasSubstr;
using testing::SizeIs;

learn::TrainRequest request(const std::string& model = "anomaly_detection") {
  learn::TrainRequest wish;
  wish.model = model;
  return wish;
}

/// Work that waits until the test lets it go, or until it is cancelled.
struct Gate {
  std::shared_ptr<std::promise<void>> begun = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> go = std::make_shared<std::promise<void>>();
  std::shared_future<void> gone = go->get_future().share();

  Jobs::Work work(learn::Asked<learn::TrainedModel> result) {
    return [begun = begun, gone = gone, result](Jobs::Watch& watch) {
      watch.tell(.25, {{"a tree", .9, 1, .1}});
      begun->set_value();
      while (!watch.cancelled() &&
             gone.wait_for(std::chrono::milliseconds{1}) != std::future_status::ready) {
      }
      return result;
    };
  }
};

struct Fixture : testing::Test {
  files::PosixFileSystem system;
  TestFolder folder;
  std::shared_ptr<std::promise<learn::TrainingJob>> ended =
      std::make_shared<std::promise<learn::TrainingJob>>();
  std::unique_ptr<Registry> registry = open_registry(system, folder);

  std::unique_ptr<Jobs> jobs() {
    return std::make_unique<Jobs>(
        *registry,
        [] { return at_second(5); },
        [ended = ended](const learn::TrainingJob& job) { ended->set_value(job); });
  }
};

TEST_F(Fixture, AJobPublishesWhatItMade) {
  const auto all = jobs();
  const auto job = all->submit(request(), [](Jobs::Watch&) { return trained(); });
  ASSERT_TRUE(job);
  const auto done = ended->get_future().get();
  EXPECT_EQ(done.state, JobState::kSucceeded);
  EXPECT_EQ(done.version, 1U);
  EXPECT_EQ(done.alias, learn::Alias::kChampion);
  EXPECT_EQ(registry->model("anomaly_detection")->champion, 1U);
  EXPECT_EQ(all->job(job->id)->state, JobState::kSucceeded);
}

TEST_F(Fixture, AJobWithoutAutoDeployMakesAChallenger) {
  auto wish = request();
  wish.auto_deploy = false;
  const auto all = jobs();
  ASSERT_TRUE(all->submit(wish, [](Jobs::Watch&) { return trained(); }));
  const auto done = ended->get_future().get();
  EXPECT_EQ(done.alias, learn::Alias::kChallenger);
  EXPECT_THAT(done.reasons[0], HasSubstr("was not asked for"));
  EXPECT_EQ(registry->model("anomaly_detection")->champion, std::nullopt);
}

TEST_F(Fixture, AJobKeepsWhatWasAskedOverARestart) {
  learn::TrainRequest wish = request();
  wish.fits_max = 12;
  wish.seed = 7;
  wish.auto_deploy = false;
  wish.leave_out_incidents = wish.injected_abuse = wish.distributed = true;
  wish.workers = 3;
  std::uint64_t id = 0;
  {
    const auto all = jobs();
    id = all->submit(wish, [](Jobs::Watch&) { return trained(); })->id;
    ended->get_future().wait();
  }
  registry.reset();
  registry = open_registry(system, folder);
  const auto job = jobs()->job(id);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->request.fits_max, 12U);
  EXPECT_EQ(job->request.seed, 7U);
  EXPECT_FALSE(job->request.auto_deploy);
  EXPECT_FALSE(job->request.unsupervised);
  EXPECT_TRUE(job->request.leave_out_incidents);
  EXPECT_TRUE(job->request.injected_abuse);
  EXPECT_TRUE(job->request.distributed);
  EXPECT_EQ(job->request.workers, 3U);
}

TEST_F(Fixture, TwoTrainingsOfOneModelNeverRunAtOnce) {
  Gate gate;
  const auto all = jobs();
  ASSERT_TRUE(all->submit(request(), gate.work(trained())));
  gate.begun->get_future().wait();
  EXPECT_EQ(all->submit(request(), gate.work(trained())).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(all->submit(request("user_behavior"), gate.work(trained())));
  EXPECT_EQ(all->submit(request("user_behavior"), gate.work(trained())).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(all->unfinished(), 2U);
}

TEST_F(Fixture, AJobThatRunsShowsItsProgressAndIsCancelledAtOnce) {
  Gate gate;
  const auto all = jobs();
  const auto job = all->submit(request(), gate.work(trained()));
  gate.begun->get_future().wait();
  EXPECT_EQ(all->job(job->id)->progress, .25);
  EXPECT_THAT(all->job(job->id)->leaderboard, SizeIs(1));
  const auto cancelled = all->cancel(job->id);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, JobState::kCancelled);
  EXPECT_EQ(all->job(job->id)->state, JobState::kCancelled);
  EXPECT_EQ(all->cancel(job->id).error().code, ErrorCode::kConflict);
  EXPECT_EQ(all->cancel(99).error().code, ErrorCode::kMissing);
  EXPECT_THAT(registry->model("anomaly_detection")->versions, SizeIs(0));
}

TEST_F(Fixture, WhatFailsSaysWhy) {
  const auto all = jobs();
  ASSERT_TRUE(all->submit(request(), [](Jobs::Watch&) -> learn::Asked<learn::TrainedModel> {
    throw std::runtime_error("no memory");
  }));
  const auto done = ended->get_future().get();
  EXPECT_EQ(done.state, JobState::kFailed);
  EXPECT_EQ(done.problem, "no memory");
}

TEST_F(Fixture, AJobThatTheEndOfTheProcessInterruptedHasFailed) {
  Gate gate;
  std::uint64_t id = 0;
  {
    const auto all = jobs();
    id = all->submit(request(), gate.work(trained()))->id;
    gate.begun->get_future().wait();
  }
  registry.reset();
  registry = open_registry(system, folder);
  const auto all = jobs();
  const auto job = all->job(id);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_THAT(job->problem, HasSubstr("interrupted"));
  EXPECT_EQ(job->progress, .25) << "as far as it came";
  EXPECT_THAT(job->leaderboard, SizeIs(1));
}

}  // namespace
}  // namespace liminal::registry
