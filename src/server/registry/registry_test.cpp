#include "server/registry/registry.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "io/sqlite/database.hpp"
#include "server/registry/records.hpp"
#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using learn::Alias;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kModel = "anomaly_detection";

std::uint32_t publish(Registry& registry, std::optional<Alias> alias, float weight = 1) {
  auto job = job_of(kModel);
  const auto version = registry.publish(trained(weight), alias, job, at_second(1));
  EXPECT_TRUE(version) << version.error().text;
  return version ? version->number : 0;
}

TEST(Registry, KnowsThreeModelsFromTheStart) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  ASSERT_NE(registry, nullptr);
  const auto models = registry->models();
  ASSERT_THAT(models, SizeIs(3));
  EXPECT_EQ(models[0].definition.name, "anomaly_detection");
  EXPECT_THAT(models[0].versions, IsEmpty());
  EXPECT_EQ(registry->served("nobody").error().code, ErrorCode::kMissing);
  EXPECT_EQ(registry->served(kModel).error().code, ErrorCode::kMissing);
}

TEST(Registry, KeepsVersionsAliasesAndHistoryOverARestart) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open_registry(system, folder);
    EXPECT_EQ(publish(*registry, Alias::kChampion, 1), 1U);
    EXPECT_EQ(publish(*registry, Alias::kChallenger, 2), 2U);
    ASSERT_TRUE(registry->load(kModel, 2, "api", "looks better", at_second(3)));
  }
  const auto registry = open_registry(system, folder);
  const auto state = registry->model(kModel);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->champion, 2U);
  EXPECT_EQ(state->challenger, std::nullopt);  // it is the champion now
  ASSERT_THAT(state->versions, SizeIs(2));
  EXPECT_EQ(state->versions[0].number, 2U);
  EXPECT_EQ(state->versions[0].parent, 1U);
  EXPECT_EQ(state->versions[1].metrics, (learn::NamedFigures{{"roc_auc", .9}}));
  const auto history = registry->history(kModel, 10);
  ASSERT_TRUE(history);
  ASSERT_THAT(*history, SizeIs(4));
  EXPECT_EQ((*history)[0].version, 2U);
  EXPECT_EQ((*history)[0].previous, 1U);
  EXPECT_EQ((*history)[0].actor, "api");
  EXPECT_EQ((*history)[0].reason, "looks better");
  ASSERT_NE(registry->champion(kModel), nullptr);
  EXPECT_EQ(registry->champion(kModel)->version, 2U);
}

TEST(Registry, AnOlderVersionAnswersAgainAsBefore) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  publish(*registry, Alias::kChampion, 1);
  publish(*registry, Alias::kChampion, -1);
  const float row[]{2, 0, 0, 0};
  const auto ask = [&] {
    return (*registry->served(kModel))->scorer->evaluator()->predict(row).margin;
  };
  EXPECT_EQ(ask(), -2);
  EXPECT_EQ((*registry->served(kModel, 1))->scorer->evaluator()->predict(row).margin, 2);
  ASSERT_TRUE(registry->load(kModel, 1, "api", "rollback", at_second(2)));
  EXPECT_EQ(ask(), 2);
  EXPECT_EQ(registry->load(kModel, 3, "api", "rollback", at_second(2)).error().code,
            ErrorCode::kMissing);
}

TEST(Registry, LoadingWithoutAVersionPromotesNothing) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  const auto load = [&] { return registry->load(kModel, {}, "api", "load", at_second(2)); };
  EXPECT_EQ(load().error().code, ErrorCode::kMissing);
  publish(*registry, Alias::kChallenger);
  EXPECT_EQ(load().error().code, ErrorCode::kConflict) << "the gate kept it from being champion";
  publish(*registry, Alias::kChampion);
  publish(*registry, Alias::kChallenger);
  EXPECT_EQ(load(), 2U);
  const std::size_t lines = registry->history(kModel, 100)->size();
  EXPECT_EQ(lines, 3U) << "what is champion already is no change";
  ASSERT_TRUE(registry->unload(kModel, Alias::kChampion, "api", "unload", at_second(2)));
  EXPECT_EQ(load(), 2U) << "what was unloaded answers again";
  EXPECT_EQ(registry->model(kModel)->champion, 2U);
  EXPECT_EQ(registry->model(kModel)->challenger, 3U);
}

TEST(Registry, KeepsWhatWasJudgedBesideWhatAnswers) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open_registry(system, folder);
    learn::TrainedModel made = trained(1);
    made.judged = trained(-1).model;
    made.judged->metadata.facts.emplace_back("held_out.users", "1");
    auto job = job_of(kModel);
    ASSERT_TRUE(registry->publish(made, Alias::kChampion, job, at_second(1)));
    publish(*registry, Alias::kChallenger);
  }
  const auto registry = open_registry(system, folder);
  const auto judged = registry->judged(kModel, 1);
  ASSERT_NE(judged, nullptr);
  const float row[]{2, 0, 0, 0};
  EXPECT_EQ(judged->evaluator()->predict(row).margin, -2);
  EXPECT_EQ(judged->metadata().facts.back().first, "held_out.users");
  EXPECT_EQ(registry->judged(kModel, 2), nullptr) << "nothing was fitted again";
  EXPECT_EQ(registry->compared_with(kModel, 1), 0U) << "it was brought, not trained";
}

TEST(Registry, KeepsWhatIsForBatchesBesideAVersion) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open_registry(system, folder);
    learn::TrainedModel made = trained(1);
    made.batches = learn::BatchModel{trained(-3).model, 60};
    auto job = job_of(kModel);
    ASSERT_TRUE(registry->publish(made, Alias::kChampion, job, at_second(1)));
    publish(*registry, Alias::kChallenger, 5);
  }
  const auto registry = open_registry(system, folder);
  const float row[]{2, 0, 0, 0};
  const auto margin = [&](std::optional<std::uint32_t> version) {
    return (*registry->for_batches(kModel, version))->scorer->evaluator()->predict(row).margin;
  };
  EXPECT_EQ(margin({}), -6);
  EXPECT_EQ(margin(1), -6);
  EXPECT_EQ(margin(2), 10) << "nothing is beside it";
  EXPECT_TRUE((*registry->for_batches(kModel))->batches);
  EXPECT_FALSE((*registry->for_batches(kModel, 2))->batches);
  EXPECT_EQ((*registry->served(kModel, 1))->scorer->evaluator()->predict(row).margin, 2);
  const auto kept = registry->version(kModel, 1)->batches;
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->us_row, 60);
  EXPECT_EQ(sha256_of(*registry->file(kModel, 1, true)), kept->sha256);
  EXPECT_EQ(registry->file(kModel, 1, true)->size(), kept->bytes);
  EXPECT_EQ(registry->file(kModel, 2, true).error().code, ErrorCode::kMissing);
}

TEST(Registry, TellsWhoListensOfEachChampion) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  publish(*registry, Alias::kChampion);
  std::vector<std::uint32_t> told;
  registry->on_champion_changed([&](const std::string& name, const auto& champion) {
    EXPECT_EQ(name, kModel);
    told.push_back(champion ? champion->version : 0);
  });
  publish(*registry, Alias::kChallenger);
  publish(*registry, Alias::kChampion);
  ASSERT_TRUE(registry->load(kModel, 1, "api", "rollback", at_second(2)));
  ASSERT_TRUE(registry->unload(kModel, Alias::kChampion, "api", "unload", at_second(2)));
  EXPECT_THAT(told, ElementsAre(1U, 3U, 1U, 0U));
}

TEST(Registry, RefusesOtherFeaturesAndSaysWhich) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  auto other = trained();
  other.model.metadata.features[1].name = "shoe_size";
  auto job = job_of(kModel);
  const auto refused = registry->publish(other, Alias::kChampion, job, at_second(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("avg_message_size is missing"));
  EXPECT_THAT(refused.error().text, HasSubstr("shoe_size is not asked for"));
  EXPECT_THAT(registry->model(kModel)->versions, IsEmpty());
}

TEST(Registry, RefusesAFileThatIsNotTheOneThatWasPublished) {
  files::PosixFileSystem system;
  const TestFolder folder;
  publish(*open_registry(system, folder), Alias::kChampion);
  {
    std::ofstream file(folder.path() + "/anomaly_detection-1.onnx", std::ios::app);
    file << "x";
  }
  const auto registry = open_registry(system, folder);
  EXPECT_EQ(registry->champion(kModel), nullptr);
  EXPECT_EQ(registry->served(kModel).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(registry->served(kModel, 1).error().code, ErrorCode::kChecksum);
  ASSERT_THAT(registry->unloaded(), SizeIs(1));
  EXPECT_THAT(registry->unloaded()[0], HasSubstr("not the one that was published"));
  EXPECT_EQ(registry->model(kModel)->champion, 1U);  // that it should be is not forgotten
}

TEST(Registry, MakesNoChampionOfAFileThatWasDamagedSinceItWasRead) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  for (const auto alias : {learn::Alias::kChampion, learn::Alias::kChallenger}) {
    auto job = job_of(kModel);
    ASSERT_TRUE(registry->publish(trained(), alias, job, at_second(0)));
  }
  ASSERT_TRUE(registry->served(kModel, 2)) << "it is in memory";
  std::filesystem::resize_file(folder.path() + "/anomaly_detection-2.onnx", 100);
  const auto refused = registry->load(kModel, 2, "api", "swap", at_second(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kChecksum);
  EXPECT_EQ(registry->model(kModel)->champion, 1U);
}

TEST(Registry, TellsWhichChallengerCannotBeRead) {
  files::PosixFileSystem system;
  const TestFolder folder;
  {
    const auto registry = open_registry(system, folder);
    for (const auto alias : {learn::Alias::kChampion, learn::Alias::kChallenger}) {
      auto job = job_of(kModel);
      ASSERT_TRUE(registry->publish(trained(), alias, job, at_second(0)));
    }
    EXPECT_THAT(registry->unloaded_challengers(), IsEmpty());
  }
  std::filesystem::resize_file(folder.path() + "/anomaly_detection-2.onnx", 100);
  const auto registry = open_registry(system, folder);
  EXPECT_THAT(registry->unloaded(), IsEmpty());
  EXPECT_THAT(registry->unloaded_challengers(),
              ElementsAre("anomaly_detection: the file of version 2 is not the one that was "
                          "published"));
  EXPECT_EQ(registry->model(kModel)->champion_trouble, "");
  EXPECT_THAT(registry->model(kModel)->challenger_trouble, HasSubstr("version 2"));
  ASSERT_TRUE(registry->unload(kModel, learn::Alias::kChallenger, "api", "damaged", at_second(1)));
  EXPECT_THAT(registry->unloaded_challengers(), IsEmpty());
}

TEST(Registry, AVersionIsDisownedOnlyWhenWhatItLooksAtHasChanged) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  learn::TrainedModel made = trained();
  made.model.metadata.schema = 7;  // of another release, with other features beside
  made.model.metadata.features[1].unit = "B";
  auto job = job_of(kModel);
  EXPECT_TRUE(registry->publish(made, Alias::kChampion, job, at_second(1)));
  made.model.metadata.features[1].unit = "KiB";
  const auto refused = registry->publish(made, Alias::kChampion, job, at_second(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().problems,
              ElementsAre(Problem{"avg_message_size", "was learnt in KiB, and is in B now"}));
}

TEST(Registry, VersionsAndHistoryCannotBeChanged) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  publish(*registry, Alias::kChampion);
  registry->with_records([](Records& records) {
    EXPECT_FALSE(records.database().run("UPDATE versions SET trainer = 'x'"));
    EXPECT_FALSE(records.database().run("UPDATE history SET reason = 'x'"));
    EXPECT_FALSE(records.database().run("DELETE FROM history"));
  });
}

TEST(Registry, IsReadBesideAServerThatRuns) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto writer = open_registry(system, folder);
  publish(*writer, Alias::kChampion);
  const auto reader =
      Registry::open(system, {.folder = folder.path(), .read_only = true}, at_second(0));
  ASSERT_TRUE(reader) << reader.error();
  EXPECT_EQ((*reader)->model(kModel)->champion, 1U);
}

TEST(Registry, OfAnOlderVersionIsReadAsWhatItSays) {
  const TestFolder folder;
  {
    auto records = Records::open(folder.path(), false);
    ASSERT_TRUE(records);
    auto job = job_of(kModel);
    job.request.unsupervised = job.request.injected_abuse = true;
    ASSERT_TRUE(records->add(job));
    auto older = sqlite::Database::open((std::filesystem::path(folder.path()) / kRecordsFile), {});
    ASSERT_TRUE(older);
    ASSERT_TRUE(
        older->script("ALTER TABLE jobs DROP COLUMN injected_abuse;"
                      "ALTER TABLE jobs DROP COLUMN leave_out_incidents;"
                      "ALTER TABLE jobs DROP COLUMN distributed;"
                      "ALTER TABLE jobs DROP COLUMN workers;"));
  }
  auto records = Records::open(folder.path(), true);
  ASSERT_TRUE(records);
  const auto jobs = records->jobs(5);
  ASSERT_TRUE(jobs);
  ASSERT_THAT(*jobs, SizeIs(1));
  EXPECT_TRUE((*jobs)[0].request.unsupervised);
  EXPECT_FALSE((*jobs)[0].request.leave_out_incidents);
  EXPECT_FALSE((*jobs)[0].request.injected_abuse);
  EXPECT_FALSE((*jobs)[0].request.distributed);
  EXPECT_EQ((*jobs)[0].request.workers, 0U);
}

TEST(Registry, NobodyIsWithoutAnAnswerWhileTheChampionChanges) {
  files::PosixFileSystem system;
  const TestFolder folder;
  const auto registry = open_registry(system, folder);
  publish(*registry, Alias::kChampion, 1);
  publish(*registry, Alias::kChallenger, -1);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0}, asked{0};
  std::thread asking([&] {
    const float row[]{3, 0, 0, 0};
    while (!done) {
      const auto served = registry->served(kModel);
      if (!served || std::abs((*served)->scorer->evaluator()->predict(row).margin) != 3) ++wrong;
      ++asked;
    }
  });
  for (std::uint32_t i = 0; i < 20 || asked < 100; ++i)
    ASSERT_TRUE(registry->load(kModel, 1 + i % 2, "api", "swap", at_second(2)));
  done = true;
  asking.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace liminal::registry
