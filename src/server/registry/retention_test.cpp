#include "server/registry/retention.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "server/registry/experiments.hpp"
#include "server/registry/jobs.hpp"
#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using learn::Alias;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kModel = "anomaly_detection";

std::vector<std::uint32_t> numbers(const Registry& registry) {
  std::vector<std::uint32_t> found;
  const auto state = registry.model(kModel);
  for (const auto& version : state->versions) found.push_back(version.number);
  return found;
}

std::unique_ptr<Registry> open(files::FileSystem& system, const TestFolder& folder) {
  auto opened = Registry::open(system, {.folder = folder.path(), .versions_kept = 3}, at_second(0));
  return opened ? std::move(*opened) : nullptr;
}

void publish(Registry& registry, std::optional<Alias> alias, bool by_a_job = false) {
  learn::TrainedModel made = trained();
  made.judged = made.model;
  made.batches = learn::BatchModel{made.model, 60};
  auto job = job_of(kModel);
  if (by_a_job)
    job.id = registry.with_records([&](Records& records) { return records.add(job); }).value_or(0);
  ASSERT_TRUE(registry.publish(made, alias, job, at_second(1)));
}

std::vector<std::string> files_of(const TestFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().extension() == ".onnx") names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Retention, NamesWhatIsNeitherNewNorHeldNorAParentOfThose) {
  std::vector<learn::ModelVersion> versions(6);
  for (std::uint32_t i = 0; i < 6; ++i) versions[i].number = 6 - i;
  EXPECT_THAT(outdated(versions, 2, {}), ElementsAre(4U, 3U, 2U, 1U));
  EXPECT_THAT(outdated(versions, 9, {}), IsEmpty());
  versions[1].parent = 3;  // of 5
  versions[4].parent = 1;  // of 2
  EXPECT_THAT(outdated(versions, 2, {}), ElementsAre(4U, 2U, 1U));
  EXPECT_THAT(outdated(versions, 2, {2}), ElementsAre(4U));
}

TEST(Retention, TellsWhichVersionAFileIsOf) {
  using Of = std::pair<std::string, std::uint32_t>;
  EXPECT_EQ(version_of_file("a-b-12.onnx"), (Of{"a-b", 12}));
  EXPECT_EQ(version_of_file("a-3.judged.onnx"), (Of{"a", 3}));
  EXPECT_EQ(version_of_file("a-3.batches.onnx"), (Of{"a", 3}));
  for (const char* other :
       {"registry.db", "a.onnx", "a-x.onnx", "-3.onnx", "a-0.onnx", "a-3.onnx~"})
    EXPECT_FALSE(version_of_file(other)) << other;
}

TEST(Retention, OldVersionsGoWithTheirFilesAndThoseInUseStay) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open(system, folder);
  for (const auto alias : {Alias::kChampion, Alias::kChallenger}) publish(*registry, alias);
  for (int i = 0; i < 6; ++i) publish(*registry, std::nullopt);
  // 1 is champion, 2 challenger; all others were measured against 1.
  EXPECT_THAT(numbers(*registry), ElementsAre(8U, 7U, 6U, 2U, 1U));
  EXPECT_EQ(files_of(folder).size(), 15U);
  EXPECT_EQ(registry->served(kModel, 3).error().code, ErrorCode::kMissing);
  EXPECT_EQ(registry->judged(kModel, 3), nullptr);
  EXPECT_TRUE(registry->served(kModel, 1));
  ASSERT_TRUE(registry->load(kModel, 8, "api", "better", at_second(2)));
  ASSERT_TRUE(registry->unload(kModel, Alias::kChampion, "api", "unload", at_second(2)));
  ASSERT_TRUE(registry->unload(kModel, Alias::kChallenger, "api", "unload", at_second(2)));
  for (int i = 0; i < 5; ++i) publish(*registry, std::nullopt);
  EXPECT_THAT(numbers(*registry), ElementsAre(13U, 12U, 11U, 8U, 1U))
      << "what was last champion can be loaded again, and what it was better than";
  EXPECT_EQ(registry->load(kModel, {}, "api", "again", at_second(3)), 8U);
  EXPECT_GE(registry->history(kModel, 100)->size(), 5U) << "the history stays";
}

TEST(Retention, WhatWasComparedWithAChampionCountsWhenItIsGone) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open(system, folder);
    publish(*registry, Alias::kChampion, true);
    publish(*registry, std::nullopt, false);  // brought by somebody
    for (int i = 0; i < 7; ++i) publish(*registry, std::nullopt, true);
    EXPECT_THAT(numbers(*registry), ElementsAre(9U, 8U, 7U, 1U));
    EXPECT_EQ(registry->compared_with(kModel, 1), 7U);
  }
  const auto registry = open(system, folder);
  EXPECT_EQ(registry->compared_with(kModel, 1), 7U) << "after a start, too";
  publish(*registry, Alias::kChampion, true);
  publish(*registry, Alias::kChampion, true);
  for (int i = 0; i < 4; ++i) publish(*registry, std::nullopt, true);
  EXPECT_EQ(registry->compared_with(kModel, 11), 4U);
  EXPECT_THAT(*registry->with_records([](Records& records) { return records.compared(); }),
              testing::Each(testing::Field(&Records::ComparedRow::parent, 11U)))
      << "of versions that are gone nothing is counted";
}

TEST(Retention, ABlendThatCannotBeWrittenCostsNotTheVersion) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open(system, folder);
  std::filesystem::create_directories(folder.path() + "/" + kModel + "-1.batches.onnx/in the way");
  learn::TrainedModel made = trained();
  made.report = R"({"split":{}})";
  const std::string with_blend = R"({"split":{},"best_for_batches":{"us_a_row":60}})";
  made.batches = learn::BatchModel{made.model, 60, with_blend, "a blend is kept beside"};
  auto job = job_of(kModel);
  const auto version = registry->publish(made, Alias::kChampion, job, at_second(1));
  ASSERT_TRUE(version) << version.error().text;
  EXPECT_FALSE(version->batches);
  EXPECT_THAT(job.reasons, ElementsAre(testing::HasSubstr("no blend is kept for batches")));
  EXPECT_EQ(version->report, made.report) << "which speaks of no blend";
  auto next = job_of(kModel);
  const auto whole = registry->publish(made, std::nullopt, next, at_second(2));
  ASSERT_TRUE(whole && whole->batches);
  EXPECT_THAT(next.reasons, ElementsAre("a blend is kept beside"));
  EXPECT_EQ(registry->version(kModel, 2)->report, with_blend);
}

TEST(Retention, AnExperimentsVersionsStay) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open(system, folder);
  publish(*registry, Alias::kChampion);
  publish(*registry, Alias::kChallenger);
  {
    Experiments experiments(*registry, [] { return at_second(2); });
    learn::ExperimentRequest request;
    request.model = kModel;
    ASSERT_TRUE(experiments.begin(request));
  }
  ASSERT_TRUE(registry->unload(kModel, Alias::kChallenger, "api", "unload", at_second(2)));
  for (int i = 0; i < 5; ++i) publish(*registry, std::nullopt);
  EXPECT_THAT(numbers(*registry), ElementsAre(7U, 6U, 5U, 2U, 1U));
}

TEST(Retention, FilesThatAKillLeftBehindAreSwept) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open(system, folder);
    publish(*registry, Alias::kChampion);
    for (int i = 0; i < 4; ++i) publish(*registry, std::nullopt);
  }
  for (const char* left : {"2.onnx", "2.judged.onnx", "6.onnx", "x.onnx"})
    std::ofstream(folder.path() + "/" + kModel + "-" + left) << "left";
  std::ofstream(folder.path() + "/own-1.onnx") << "of nobody";
  (void)open(system, folder);
  EXPECT_THAT(files_of(folder),
              testing::AllOf(testing::Not(testing::Contains(kModel + "-2.onnx")),
                             testing::Not(testing::Contains(kModel + "-2.judged.onnx")),
                             testing::Contains(kModel + "-6.onnx"),
                             testing::Contains(kModel + "-x.onnx"),
                             testing::Contains("own-1.onnx"),
                             testing::Contains(kModel + "-1.onnx"),
                             testing::Contains(kModel + "-5.batches.onnx")));
}

TEST(Retention, JobsAndExperimentsGoWhenTheyHaveEnded) {
  const TestFolder folder;
  auto records = Records::open(folder.path(), false);
  ASSERT_TRUE(records);
  for (int i = 0; i < 6; ++i) {
    learn::TrainingJob job = job_of(kModel);
    job.id = records->add(job).value_or(0);
    job.state = i == 1 ? learn::JobState::kRunning : learn::JobState::kSucceeded;
    ASSERT_TRUE(records->update(job));
    ExperimentRow row;
    row.model = kModel;
    row.champion = row.challenger = static_cast<std::uint32_t>(i);
    row.options = "{}";
    row.state = "running";
    row.id = records->add(row).value_or(0);
    if (i != 2) row.ended = at_second(i);
    ASSERT_TRUE(records->update(row));
    ASSERT_TRUE(records->decide(row.id, {at_second(i), "running", 0, {}, {}, 0, "begun"}));
  }
  ASSERT_TRUE(records->forget_jobs(2));
  std::vector<std::uint64_t> ids;
  const auto jobs = records->jobs(100);
  for (const auto& job : *jobs) ids.push_back(job.id);
  EXPECT_THAT(ids, ElementsAre(6U, 5U, 2U));
  EXPECT_FALSE(records->database().run("DELETE FROM decisions WHERE experiment = 6"));
  ASSERT_TRUE(records->forget_experiments(2));
  ids.clear();
  const auto experiments = records->experiments();
  for (const auto& row : *experiments) ids.push_back(row.id);
  EXPECT_THAT(ids, ElementsAre(6U, 5U, 3U));
  EXPECT_EQ(records->decisions(1)->size(), 0U);
  EXPECT_EQ(records->decisions(3)->size(), 1U);
  EXPECT_THAT(*records->versions_of_experiments(kModel),
              testing::UnorderedElementsAre(5, 5, 4, 4, 2, 2));
}

}  // namespace
}  // namespace liminal::registry
