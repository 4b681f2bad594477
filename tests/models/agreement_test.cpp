#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <thread>

#include "core/models/evaluator.hpp"
#include "core/models/test_models.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"
#include "io/onnxruntime/session.hpp"

namespace liminal {
namespace {

std::shared_ptr<const onnxruntime::Library> library() {
  static const auto opened = onnxruntime::Library::open_usual();
  return opened ? *opened : nullptr;
}

/// |ours − theirs| in units of max(1, |ours|).
double distance(double ours, double theirs) {
  return std::abs(ours - theirs) / std::max(1., std::abs(ours));
}

class Agreement : public ::testing::Test {
 protected:
  void SetUp() override {
    if (library() == nullptr) GTEST_SKIP() << "there is no ONNX Runtime here";
  }
};

const onnxruntime::Tensor& named(const std::vector<onnxruntime::Tensor>& outputs,
                                 std::string_view name) {
  for (const onnxruntime::Tensor& output : outputs) {
    if (output.name == name) return output;
  }
  ADD_FAILURE() << "no output " << name;
  return outputs.front();
}

/// The largest distance over some rows. Where two centroids, or a score and the line between the
/// classes, are that near, either answer is right.
double largest_distance(Random& random, const models::Model& model, std::size_t rows) {
  constexpr double kNear = 1e-6;
  const models::Evaluator machine = *models::Evaluator::create(model);
  const auto session = onnxruntime::Session::create(library(), *onnx::write(model));
  if (!session) {
    ADD_FAILURE() << session.error().text;
    return 1;
  }
  std::vector<float> values = models::testing::rows(random, machine.features(), rows);
  for (std::size_t i = 0; i < values.size(); i += 13)
    values[i] = std::copysign(std::numeric_limits<float>::infinity(), values[i]);
  std::vector<models::Prediction> ours(rows);
  machine.predict_batch(values, ours);
  const auto outputs = session->run(values, rows);
  if (!outputs) {
    ADD_FAILURE() << outputs.error().text;
    return 1;
  }
  double largest = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    switch (model.metadata.task) {
      case models::Task::kClassification: {
        const auto& probabilities = named(*outputs, "probabilities").values;
        largest = std::max(largest, distance(ours[i].score, probabilities[2 * i + 1]));
        largest = std::max(largest, distance(1 - ours[i].score, probabilities[2 * i]));
        const double line = static_cast<double>(model.metadata.line);
        if (std::abs(ours[i].score - line) > kNear) {
          EXPECT_EQ(named(*outputs, "label").values[i], ours[i].score >= line ? 1 : 0);
        }
        break;
      }
      case models::Task::kRegression:
        largest = std::max(largest, distance(ours[i].score, named(*outputs, "value").values[i]));
        break;
      case models::Task::kClustering:
        largest = std::max(largest, distance(ours[i].score, named(*outputs, "distance").values[i]));
        EXPECT_EQ(named(*outputs, "cluster").values[i], ours[i].cluster);
        break;
      case models::Task::kAnomaly:
        largest = std::max(largest, distance(ours[i].score, named(*outputs, "score").values[i]));
    }
  }
  return largest;
}

TEST_F(Agreement, EveryKindOfModelAnswersAsInOnnxRuntime) {
  constexpr int kModels = 30;
  for (std::size_t kind = 0; kind < models::testing::kKinds; ++kind) {
    double largest = 0;
    for (int i = 0; i < kModels; ++i) {
      Random random(1000 * kind + static_cast<std::uint64_t>(i));
      const models::Model model = models::testing::model(random, kind);
      largest = std::max(largest, largest_distance(random, model, 50));
    }
    EXPECT_LE(largest, 1e-6) << "kind " << kind;
    RecordProperty("largest_distance_" + std::to_string(kind), std::to_string(largest * 1e9));
  }
}

/// A forest of two trees that gives both classes' probabilities. (Its label is not compared: with
/// two scores ONNX Runtime answers the second class whenever its score is above 0.)
::onnx::ModelProto two_scores() {
  using Integers = std::vector<std::int64_t>;
  using Floats = std::vector<float>;
  ::onnx::ModelProto file;
  file.set_ir_version(8);
  ::onnx::OperatorSetIdProto& ml = *file.add_opset_import();
  ml.set_domain(std::string(onnx::kMlDomain));
  ml.set_version(3);
  file.add_opset_import()->set_version(17);
  file.mutable_graph()->set_name("forest");
  onnx::GraphWriter graph(*file.mutable_graph());
  graph.input("X", 2);
  ::onnx::NodeProto& node = graph.node("TreeEnsembleClassifier", "label", {"X"}, onnx::kMlDomain);
  node.add_output("scores");
  onnx::set(node, "classlabels_int64s", Integers{0, 1});
  onnx::set(node, "post_transform", "NONE");
  onnx::set(node, "nodes_treeids", Integers{0, 0, 0, 1, 1, 1});
  onnx::set(node, "nodes_nodeids", Integers{0, 1, 2, 0, 1, 2});
  onnx::set(node, "nodes_featureids", Integers{0, 0, 0, 1, 0, 0});
  onnx::set(node, "nodes_values", Floats{.5F, 0, 0, -.5F, 0, 0});
  onnx::set(node,
            "nodes_modes",
            std::vector<std::string>{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"});
  onnx::set(node, "nodes_truenodeids", Integers{1, 0, 0, 1, 0, 0});
  onnx::set(node, "nodes_falsenodeids", Integers{2, 0, 0, 2, 0, 0});
  onnx::set(node, "class_treeids", Integers{0, 0, 0, 0, 1, 1, 1, 1});
  onnx::set(node, "class_nodeids", Integers{1, 1, 2, 2, 1, 1, 2, 2});
  onnx::set(node, "class_ids", Integers{0, 1, 0, 1, 0, 1, 0, 1});
  onnx::set(node, "class_weights", Floats{.6F, .1F, .2F, .5F, .05F, .25F, .3F, 0});
  onnx::set(graph.node("Normalizer", "probabilities", {"scores"}, onnx::kMlDomain), "norm", "L1");
  graph.output("label", ::onnx::TensorProto::INT64, 0);
  graph.output("probabilities", ::onnx::TensorProto::FLOAT, 2);
  return file;
}

TEST_F(Agreement, AForestsProbabilitiesOfTwoClassesAreOnnxRuntimes) {
  const std::string bytes = two_scores().SerializeAsString();
  const auto model = onnx::read(bytes);
  ASSERT_TRUE(model) << model.error().text;
  const models::Evaluator machine = *models::Evaluator::create(*model);
  const auto session = onnxruntime::Session::create(library(), bytes);
  ASSERT_TRUE(session) << session.error().text;
  const std::vector<float> rows{0, 0, 0, -1, 1, 0, 1, -1, .5F, -.5F};
  const auto outputs = session->run(rows, 5);
  ASSERT_TRUE(outputs) << outputs.error().text;
  for (std::size_t i = 0; i < 5; ++i) {
    const double ours = machine.predict(std::span(rows).subspan(2 * i, 2)).score;
    EXPECT_NEAR(named(*outputs, "probabilities").values[2 * i + 1], ours, 1e-6);
  }
}

TEST_F(Agreement, MetadataReachOnnxRuntimeToo) {
  Random random(1);
  const models::Model model = models::testing::model(random, 9);
  const auto session = onnxruntime::Session::create(library(), *onnx::write(model));
  ASSERT_TRUE(session) << session.error().text;
  EXPECT_EQ(session->producer(), "liminal");
  EXPECT_EQ(session->metadata().at("liminal.name"), model.metadata.name);
  EXPECT_EQ(session->metadata().at("liminal.task"), "classification");
  EXPECT_EQ(session->columns(), model.metadata.features.size());
  EXPECT_EQ(session->input().name, "features");
  EXPECT_EQ(session->input().type, "float");
  EXPECT_EQ(session->input().shape.front(), -1);
  ASSERT_EQ(session->outputs().size(), 2U);
  EXPECT_EQ(session->outputs()[0].name, "label");
  EXPECT_EQ(session->outputs()[0].type, "int64");
  EXPECT_EQ(session->outputs()[1].shape, (std::vector<std::int64_t>{-1, 2}));
}

TEST_F(Agreement, RowsThatDoNotFitAreRefused) {
  Random random(1);
  const models::Model model = models::testing::model(random, 0);
  const auto session = onnxruntime::Session::create(library(), *onnx::write(model));
  ASSERT_TRUE(session) << session.error().text;
  const std::size_t columns = session->columns();
  const std::vector<float> values(2 * (columns + 1));
  const auto wide = session->run(values, 2);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().kind, onnxruntime::Failure::Kind::kInput);
  EXPECT_FALSE(session->run({}, 0));
  EXPECT_FALSE(session->run(values, 3));
}

TEST_F(Agreement, ManyThreadsMayRunOneSession) {
  Random random(2);
  const models::Model model = models::testing::model(random, 1);
  const auto session = onnxruntime::Session::create(library(), *onnx::write(model));
  ASSERT_TRUE(session) << session.error().text;
  const std::vector<float> values = models::testing::rows(random, session->columns(), 20);
  const auto expected = session->run(values, 20);
  ASSERT_TRUE(expected);
  std::array<int, 4> wrong{};
  {
    std::vector<std::jthread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          const auto outputs = session->run(values, 20);
          count += outputs && (*outputs)[1].values == (*expected)[1].values ? 0 : 1;
        }
      });
    }
  }
  EXPECT_THAT(wrong, ::testing::Each(0));
}

}  // namespace
}  // namespace liminal
