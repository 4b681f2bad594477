#include "server/registry/foreign.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "io/onnx/foreign.hpp"
#include "io/onnx/test_foreign.hpp"
#include "io/onnx/write.hpp"
#include "server/registry/experiments.hpp"
#include "server/registry/test_registry.hpp"

namespace liminal::registry {
namespace {

using onnx::testing::foreign_file;
using testing::HasSubstr;

const std::string kModel = "anomaly_detection";

learn::ModelDefinition definition() { return learn::first_models()[0]; }

learn::Bringing as(const std::string& file) {
  learn::Bringing made;
  made.file = file;
  return made;
}

TEST(ForeignRuntime, NamesWhatToInstallWhenThereIsNoLibrary) {
  const ForeignRuntime runtime({.library = "/nowhere/libonnxruntime.so"});
  const auto refused = bring(definition(), foreign_file(), as("net.onnx"), runtime);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().text, HasSubstr("/nowhere/libonnxruntime.so"));
  EXPECT_THAT(refused.error().text, HasSubstr("tools/install"));
  EXPECT_THAT(refused.error().text, HasSubstr("models.onnxruntime"));
}

TEST(ForeignRuntime, IsNotNeededForWhatTheCoreComputes) {
  const ForeignRuntime runtime({.library = "/nowhere/libonnxruntime.so"});
  const auto brought = bring(definition(), *onnx::write(trained().model), as("ours.onnx"), runtime);
  ASSERT_TRUE(brought) << brought.error().text;
  EXPECT_TRUE(brought->foreign.empty());
  EXPECT_EQ(bring(definition(), "hello", as("no.onnx"), runtime).error().code,
            ErrorCode::kMalformed);
}

TEST(ForeignRuntime, IsReadyWhereTheLibraryOffersTheProvider) {
  const auto library = onnxruntime::Library::open_usual();
  if (!library) GTEST_SKIP() << library.error().text;
  EXPECT_TRUE(ForeignRuntime({}).ready());
  EXPECT_THAT(ForeignRuntime({.library = "/nowhere/libonnxruntime.so"}).ready().error().text,
              HasSubstr("/nowhere/libonnxruntime.so"));
  if ((*library)->providers().size() > 1) GTEST_SKIP() << "it offers more than the CPU";
  const auto refused =
      ForeignRuntime({.library = {}, .provider = onnxruntime::Provider::kCuda}).ready();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().text, HasSubstr("does not offer cuda, only: cpu"));
}

/// With the library; says so and skips where there is none.
struct Foreign : testing::Test {
  files::PosixFileSystem system;
  TestFolder folder;
  ForeignRuntime runtime{{}};
  std::unique_ptr<Registry> registry = open_registry(system, folder);

  void SetUp() override {
    const auto library = onnxruntime::Library::open_usual();
    if (!library) GTEST_SKIP() << library.error().text;
  }
  learn::Asked<learn::ModelVersion> publish(const onnx::testing::ForeignShape& shape,
                                            learn::Alias alias) {
    auto brought = bring(definition(), foreign_file(shape), as("net.onnx"), runtime);
    if (!brought) return tl::unexpected(brought.error());
    auto job = job_of(kModel);
    return registry->publish(*brought, alias, job, at_second(1));
  }
  double ask(float x, std::optional<std::uint32_t> version = {}) {
    const auto served = registry->served(kModel, version);
    EXPECT_TRUE(served) << served.error().text;
    const float row[]{x, 0, 0, 0};
    models::Prediction said;
    EXPECT_TRUE((*served)->scorer->predict(row, {&said, 1}));
    return said.score;
  }
};

TEST_F(Foreign, IsAVersionLikeAnyOtherOverARestart) {
  const auto version = publish({.bias = -2}, learn::Alias::kChampion);
  ASSERT_TRUE(version) << version.error().text;
  EXPECT_EQ(version->features, definition().features);
  EXPECT_EQ(version->trainer, "brought");
  EXPECT_NEAR(ask(2), .5, 1e-6);
  registry = open_registry(system, folder);
  EXPECT_TRUE(registry->unloaded().empty());
  EXPECT_NEAR(ask(2), .5, 1e-6);
  EXPECT_EQ(registry->champion(kModel)->scorer->model(), nullptr);
  auto job = job_of(kModel);
  ASSERT_TRUE(registry->publish(trained(), learn::Alias::kChampion, job, at_second(2)));
  EXPECT_NEAR(ask(2, 1), .5, 1e-6);
  ASSERT_TRUE(registry->load(kModel, 1, "api", "rollback", at_second(3)));
  EXPECT_EQ(registry->champion(kModel)->scorer->model(), nullptr);
}

TEST_F(Foreign, IsNamedAsUnloadedWhereTheLibraryIsGone) {
  ASSERT_TRUE(publish({}, learn::Alias::kChampion));
  const auto without = Registry::open(system,
                                      {.folder = folder.path(),
                                       .read_only = true,
                                       .foreign = {.library = "/nowhere/libonnxruntime.so"}},
                                      at_second(2));
  ASSERT_TRUE(without);
  ASSERT_EQ((*without)->unloaded().size(), 1U);
  EXPECT_THAT((*without)->unloaded()[0], HasSubstr("/nowhere/libonnxruntime.so"));
  EXPECT_EQ((*without)->model(kModel)->champion, 1U);
}

TEST_F(Foreign, OfOtherFeaturesIsRefusedWithTheDifference) {
  const auto wide = bring(definition(), foreign_file({.columns = 40}), as("net.onnx"), runtime);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::kConflict);
  EXPECT_THAT(wide.error().text,
              HasSubstr("takes 40 values a row, anomaly_detection has 4 features: "
                        "messages_per_minute, avg_message_size, "));
  models::Metadata metadata = trained().model.metadata;
  metadata.features[3].name = "shoe_size";
  const auto brought =
      bring(definition(), *onnx::describe(foreign_file(), metadata), as("net.onnx"), runtime);
  ASSERT_TRUE(brought) << brought.error().text;
  auto job = job_of(kModel);
  const auto refused = registry->publish(*brought, learn::Alias::kChampion, job, at_second(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("rate_limit_violations is missing"));
  EXPECT_THAT(refused.error().text, HasSubstr("shoe_size is not asked for"));
}

TEST_F(Foreign, ThatGivesNoProbabilityIsRefused) {
  const auto refused = publish({.activation = "Identity"}, learn::Alias::kChallenger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("no probability"));
  learn::Bringing other = as("net.onnx");
  other.output = "z";
  EXPECT_THAT(bring(definition(), foreign_file(), other, runtime).error().text,
              HasSubstr("no output z, only y (1 floats a row)"));
  other = as("net.onnx");
  other.column = 1;
  EXPECT_THAT(bring(definition(), foreign_file(), other, runtime).error().text,
              HasSubstr("no column 1"));
}

TEST_F(Foreign, OfAFixedNumberOfRowsIsAskedForAnyNumber) {
  ASSERT_TRUE(publish({.rows = 8, .bias = -1}, learn::Alias::kChampion));
  const auto scorer = registry->champion(kModel)->scorer;
  for (const std::size_t count : {1U, 8U, 13U}) {
    std::vector<float> rows(4 * count);
    for (std::size_t i = 0; i < count; ++i) rows[4 * i] = static_cast<float>(i);
    std::vector<models::Prediction> said(count);
    ASSERT_TRUE(scorer->predict(rows, said));
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(said[i].score, 1 / (1 + std::exp(1. - static_cast<double>(i))), 1e-6);
  }
}

TEST_F(Foreign, KeepsWhatAPersonSaidOfIt) {
  learn::Bringing said = as("net.onnx");
  said.line = .9F;
  said.usual = {1, 2, 3, 4};
  const auto brought = bring(definition(), foreign_file(), said, runtime);
  ASSERT_TRUE(brought) << brought.error().text;
  auto job = job_of(kModel);
  ASSERT_TRUE(registry->publish(*brought, learn::Alias::kChampion, job, at_second(1)));
  registry = open_registry(system, folder);
  const auto scorer = registry->champion(kModel)->scorer;
  EXPECT_EQ(scorer->metadata().line, .9F);
  EXPECT_EQ(scorer->usual(), said.usual);
  const float row[]{3, 9, 9, 9};
  const auto why = scorer->explain(row);
  ASSERT_TRUE(why);
  EXPECT_NEAR(why->contributions[0], why->margin - why->expectation, 1e-9);
}

TEST_F(Foreign, IsComparedInAnExperiment) {
  ASSERT_TRUE(publish({.bias = 100}, learn::Alias::kChallenger));
  auto job = job_of(kModel);
  ASSERT_TRUE(registry->publish(trained(-.2F), learn::Alias::kChampion, job, at_second(1)));
  Experiments all(*registry, [] { return at_second(5); });
  learn::ExperimentRequest wish;
  wish.model = kModel;
  wish.options.guards.clear();
  const auto begun = all.begin(wish);
  ASSERT_TRUE(begun) << begun.error().text;
  const float row[]{9, 0, 0, 0};
  all.observe(kModel, row, "ann");
  all.observe_truth(kModel, row, 1, "ann");
  all.second();
  const auto view = all.view(begun->id);
  EXPECT_EQ(view->scored, 1);
  EXPECT_EQ(view->agreement, 0);
  EXPECT_EQ(view->judged[1], 1);
}

TEST_F(Foreign, NetworkOfKenningIsRefusedByItsShapeAndServedByADefinitionThatFits) {
  const std::filesystem::path path =
      std::filesystem::path(LIMINAL_SOURCE) / "../shared/data/kenning/model.0.onnx";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no Kenning model at " << path;
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(bring(definition(), bytes, as("kenning.onnx"), runtime).error().code,
            ErrorCode::kConflict);
  learn::ModelDefinition windows = definition();
  windows.features.clear();
  for (int i = 0; i < 40; ++i) windows.features.push_back("w" + std::to_string(i));
  const auto brought = bring(windows, bytes, as("kenning.onnx"), runtime);
  ASSERT_TRUE(brought) << brought.error().text;
  const auto scorer = runtime.open(brought->foreign, brought->model.metadata);
  ASSERT_TRUE(scorer) << scorer.error().text;
  std::vector<float> rows(3 * 40, 0.F);
  std::fill(rows.begin() + 40, rows.begin() + 80, 50.F);
  models::Prediction said[3];
  ASSERT_TRUE((*scorer)->predict(rows, said));
  EXPECT_EQ(said[0].score, 0);
  EXPECT_EQ(said[1].score, 1);
  EXPECT_EQ(said[2].score, 0);
}

}  // namespace
}  // namespace liminal::registry
