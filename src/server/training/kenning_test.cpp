#include "server/training/kenning.hpp"

#include <gmock/gmock.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/random.hpp"
#include "io/onnx/graph.hpp"

namespace liminal::training {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

learn::ModelDefinition definition() {
  return {"abuse", models::Task::kClassification, {"rate", "same", "size"}, "y"};
}

/// Users with rows over time; every tenth misbehaves by a high rate.
Rows made_up() {
  Random random(3);
  Rows rows;
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  for (std::uint64_t user = 0; user < 300; ++user) {
    const bool bad = user % 10 == 0;
    for (int i = 0; i < 20; ++i) {
      const double rate = 10 + random.normal() + (bad ? 6 : 0);
      for (const double value : {rate, 7., random.normal()})
        rows.table.values.push_back(static_cast<float>(value));
      rows.table.labels.push_back(bad ? 1 : 0);
      rows.table.times_s.push_back(i * 60);
      rows.table.groups.push_back(user);
    }
  }
  return rows;
}

/// A file of the shape that Kenning exports: one row a call, an output named "distances".
void write_model(const std::filesystem::path& folder, int number) {
  ::onnx::ModelProto file;
  file.set_ir_version(6);
  file.add_opset_import()->set_version(11);
  ::onnx::GraphProto& graph = *file.mutable_graph();
  graph.set_name(std::to_string(number));
  onnx::GraphWriter writer(graph);
  writer.input("input_1", 2);
  writer.node("ReduceMax", "distances", {"input_1"});
  writer.output("distances", ::onnx::TensorProto::FLOAT, 1);
  const std::string name = "model." + std::to_string(number) + ".onnx";
  std::ofstream(folder / name, std::ios::binary) << file.SerializeAsString();
  std::ofstream(folder / (name + ".json")) << "{}";
}

/// The stand-in of tests/kenning hands over two models. In the place of ONNX Runtime a function
/// answers: the first file flags everything, the second a high rate.
class Kenning : public ::testing::Test {
 protected:
  Kenning() {
    std::string name =
        (std::filesystem::temp_directory_path() / "liminal_training_XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) folder_ = name;
    std::filesystem::create_directories(folder_ / "models");
    write_model(folder_ / "models", 0);
    write_model(folder_ / "models", 1);
    std::ofstream(folder_ / "models" / "automl_statistics.json")
        << R"({"general_info": {"The number of generated models": 9}, "x": Infinity})";
    ::setenv("KENNING_STAND_IN_MODELS", (folder_ / "models").c_str(), 1);
    options_.definition = definition();
    options_.request.model = "abuse";
    options_.request.source = learn::DataSource::kFile;
    options_.request.trainer = "kenning";
    options_.gate.latency_us_max = 1e6;
    kenning_.program = LIMINAL_SOURCE "/tests/kenning/kenning";
    kenning_.folder = (folder_ / "job").string();
    kenning_.open = [this](std::string_view file, models::Metadata metadata) {
      return open(file, std::move(metadata));
    };
  }
  ~Kenning() override {
    ::unsetenv("KENNING_STAND_IN");
    ::unsetenv("KENNING_STAND_IN_MODELS");
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  learn::Asked<std::shared_ptr<const models::Scorer>> open(std::string_view bytes,
                                                           models::Metadata metadata) {
    ::onnx::ModelProto file;
    EXPECT_TRUE(file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    const onnx::GraphView view(file.graph());
    mean_ = view.floats("liminal.front/mean");
    columns_ = view.integers("liminal.front/columns");
    const bool all = file.graph().name() == "0";
    auto made = models::Scorer::foreign(
        std::move(metadata), [all](std::span<const float> rows, std::span<models::Prediction> out) {
          for (std::size_t i = 0; i < out.size(); ++i)
            out[i].score = all || rows[3 * i] > 13 ? 1 : 0;
          return true;
        });
    EXPECT_TRUE(made);
    return *made;
  }

  learn::Asked<learn::TrainedModel> train() {
    return train_kenning(made_up(), options_, kenning_, {[this] { return cancelled_; }, tell_});
  }

  std::filesystem::path folder_;
  BuiltinOptions options_;
  KenningOptions kenning_;
  bool cancelled_ = false;
  std::function<void(double, std::vector<learn::JobLine>)> tell_ =
      [](double, const std::vector<learn::JobLine>&) {};
  std::vector<float> mean_;
  std::vector<std::int64_t> columns_;
};

double metric(const learn::TrainedModel& made, const std::string& name) {
  for (const auto& [key, value] : made.metrics)
    if (key == name) return value;
  return NAN;
}

TEST_F(Kenning, TheBetterOfTheModelsThatCameIsJudgedLikeAnyOther) {
  const auto made = train();
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(columns_, testing::ElementsAre(0, 2));  // what never changes is left out
  EXPECT_NEAR(mean_[0], 10.6, .2);
  EXPECT_EQ(made->model.metadata.trainer, "kenning");
  EXPECT_EQ(made->model.metadata.features.size(), 3U);
  EXPECT_THAT(made->model.metadata.facts, Contains(Pair("kenning.model", "1")));
  EXPECT_THAT(made->model.metadata.facts, Contains(Pair("answers", "decisions")));
  EXPECT_FALSE(made->foreign.empty());
  ASSERT_THAT(made->leaderboard, SizeIs(2));
  EXPECT_LT(made->leaderboard[0].score, .3);
  EXPECT_GT(made->leaderboard[1].score, .95);
  EXPECT_THAT(made->report, testing::Not(HasSubstr("mean_probability_off")));
  EXPECT_GT(metric(*made, "precision"), .9);
  EXPECT_GT(metric(*made, "recall"), .95);
  EXPECT_GT(metric(*made, "roc_auc"), .95);
  EXPECT_TRUE(std::isnan(metric(*made, "brier")));
  EXPECT_EQ(made->fingerprint, fingerprint_of(made_up().table));
  EXPECT_TRUE(made->better) << testing::PrintToString(made->reasons);
  EXPECT_THAT(made->report, HasSubstr("Kenning tried 9 models"));
  EXPECT_THAT(made->report, HasSubstr("features that never change are left out: same"));
}

TEST_F(Kenning, DoesNotTakeTheChampionsPlaceWithoutBeingBetter) {
  options_.champion = *open(
      [] {
        ::onnx::ModelProto file;
        file.mutable_graph()->set_name("1");
        return file.SerializeAsString();
      }(),
      [] {
        models::Metadata metadata;
        metadata.task = models::Task::kClassification;
        for (const std::string& feature : definition().features)
          metadata.features.push_back({feature, ""});
        return metadata;
      }());
  const auto made = train();
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->better);
  EXPECT_EQ(metric(*made, "champion_roc_auc"), metric(*made, "roc_auc"));
}

TEST_F(Kenning, ModelsThatCannotBeUsedAreNamed) {
  ::setenv("KENNING_STAND_IN", "broken,exit2", 1);
  auto made = train();
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->report, HasSubstr("not used: model.1.onnx: it is no ONNX file"));
  EXPECT_THAT(made->report, HasSubstr("exit code 2"));
  kenning_.open = [](std::string_view, const models::Metadata&) {
    return learn::Asked<std::shared_ptr<const models::Scorer>>(
        learn::refusal(ErrorCode::kUnavailable, "nobody computes it"));
  };
  made = train();
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, HasSubstr("model.0.onnx: nobody computes it; model.1.onnx"));
}

TEST_F(Kenning, EndsWhenItIsCancelled) {
  ::setenv("KENNING_STAND_IN", "hang", 1);
  tell_ = [this](double, const std::vector<learn::JobLine>&) { cancelled_ = true; };
  const auto made = train();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text, "cancelled");
}

TEST_F(Kenning, IsRefusedBeforeItBeginsWhereItHasNoAnswer) {
  const auto refused = [&](const learn::TrainRequest& request, const std::string& program) {
    KenningOptions kenning = kenning_;
    kenning.program = program;
    return kenning_refusal(definition(), request, kenning).value_or(learn::Refusal{});
  };
  EXPECT_FALSE(kenning_refusal(definition(), options_.request, kenning_));
  EXPECT_EQ(refused(options_.request, "").code, ErrorCode::kConflict);
  EXPECT_THAT(refused(options_.request, "").text, HasSubstr("set models.kenning"));
  EXPECT_EQ(refused(options_.request, "/nowhere/kenning").code, ErrorCode::kConflict);
  EXPECT_THAT(refused(options_.request, "/nowhere/kenning").text, HasSubstr("/nowhere/kenning"));
  learn::TrainRequest request = options_.request;
  request.fits_max = 5;
  request.budget_s = 59;
  const learn::Refusal both = refused(request, kenning_.program);
  EXPECT_EQ(both.code, ErrorCode::kOutOfRange);
  ASSERT_THAT(both.problems, SizeIs(2));
  EXPECT_EQ(both.problems[0].key, "fits_max");
  EXPECT_EQ(both.problems[1].key, "time_budget_s");
  learn::ModelDefinition values = definition();
  values.task = models::Task::kRegression;
  EXPECT_EQ(kenning_refusal(values, options_.request, kenning_)->problems[0].key, "trainer");
  kenning_.ready = []() -> learn::Asked<void> {
    return learn::refusal(ErrorCode::kUnavailable, "nobody computes it");
  };
  EXPECT_EQ(refused(options_.request, kenning_.program).text, "nobody computes it");
}

}  // namespace
}  // namespace liminal::training
