#include "io/onnx/plain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/models/evaluator.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/read.hpp"

namespace liminal::onnx {
namespace {

using ::testing::HasSubstr;

using Integers = std::vector<std::int64_t>;
using Floats = std::vector<float>;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// A file as a converter writes it: one chain of nodes from "X".
struct File {
  ::onnx::ModelProto proto;
  GraphWriter graph{*proto.mutable_graph()};
  std::string last = "X";

  explicit File(std::int64_t features) {
    proto.set_ir_version(8);
    proto.set_producer_name("skl2onnx");
    proto.mutable_graph()->set_name("converted");
    graph.input("X", features);
  }

  ::onnx::NodeProto& then(std::string_view op, std::string_view name) {
    ::onnx::NodeProto& made = graph.node(op, name, {last}, kMlDomain);
    last = name;
    return made;
  }

  [[nodiscard]] Read<models::Model> read() const { return onnx::read(proto.SerializeAsString()); }

  [[nodiscard]] std::string refusal() const {
    const Read<models::Model> made = read();
    return made ? "" : made.error().text;
  }

  [[nodiscard]] double score(const Floats& row) const {
    const Read<models::Model> made = read();
    if (!made) {
      ADD_FAILURE() << made.error().text;
      return 0;
    }
    return models::Evaluator::create(*made)->predict(row).score;
  }
};

/// Two trees of one split each: feature 0 against 1 and feature 1 against −1. Nodes are numbered
/// with the leaves first, as some converters do.
void add_stumps(::onnx::NodeProto& node, const std::string& mode, bool missing_true = false) {
  set(node, "nodes_treeids", Integers{0, 0, 0, 1, 1, 1});
  set(node, "nodes_nodeids", Integers{7, 8, 9, 7, 8, 9});
  set(node, "nodes_featureids", Integers{0, 0, 0, 0, 0, 1});
  set(node, "nodes_values", Floats{0, 0, 1, 0, 0, -1});
  set(node, "nodes_modes", std::vector<std::string>{"LEAF", "LEAF", mode, "LEAF", "LEAF", mode});
  set(node, "nodes_truenodeids", Integers{0, 0, 7, 0, 0, 7});
  set(node, "nodes_falsenodeids", Integers{0, 0, 8, 0, 0, 8});
  set(node, "nodes_hitrates", Floats(6, 1));
  const std::int64_t tracks = missing_true ? 1 : 0;
  set(node, "nodes_missing_value_tracks_true", Integers{0, 0, tracks, 0, 0, tracks});
}

void add_weights(::onnx::NodeProto& node, const std::string& kind, const Floats& weights) {
  set(node, kind + "_treeids", Integers{0, 0, 1, 1});
  set(node, kind + "_nodeids", Integers{7, 8, 7, 8});
  set(node, kind + "_ids", Integers{0, 0, 0, 0});
  set(node, kind + "_weights", weights);
}

File regressor(const std::string& mode, bool missing_true = false) {
  File file(2);
  ::onnx::NodeProto& node = file.then("TreeEnsembleRegressor", "variable");
  set(node, "n_targets", std::int64_t{1});
  set(node, "base_values", Floats{100});
  add_stumps(node, mode, missing_true);
  add_weights(node, "target", {1, 2, 10, 20});
  return file;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

TEST(PlainOnnx, ReadsEveryComparisonOfTrees) {
  // Below, at and above both thresholds; what the true side of the first tree adds is 1, else 2.
  EXPECT_EQ(regressor("BRANCH_LEQ").score({1, -1}), 111);
  EXPECT_EQ(regressor("BRANCH_LT").score({1, -1}), 122);
  EXPECT_EQ(regressor("BRANCH_GT").score({1, -1}), 122);
  EXPECT_EQ(regressor("BRANCH_GTE").score({1, -1}), 111);
  for (const char* mode : {"BRANCH_LEQ", "BRANCH_LT"}) {
    EXPECT_EQ(regressor(mode).score({0, 0}), 121) << mode;
    EXPECT_EQ(regressor(mode).score({kMissing, -2}), 112) << mode;
    EXPECT_EQ(regressor(mode, true).score({kMissing, -2}), 111) << mode;
  }
  for (const char* mode : {"BRANCH_GT", "BRANCH_GTE"}) {
    EXPECT_EQ(regressor(mode).score({0, 0}), 112) << mode;
    EXPECT_EQ(regressor(mode).score({kMissing, -2}), 122) << mode;
    EXPECT_EQ(regressor(mode, true).score({kMissing, -2}), 121) << mode;
  }
}

TEST(PlainOnnx, NamesFeaturesByNumberAndTheTrainerByTheProducer) {
  const models::Model model = *regressor("BRANCH_LT").read();
  EXPECT_EQ(model.metadata.trainer, "skl2onnx");
  EXPECT_EQ(model.metadata.name, "converted");
  EXPECT_EQ(model.metadata.features.size(), 2U);
  EXPECT_EQ(model.metadata.features[1].name, "feature_1");
  EXPECT_EQ(model.metadata.task, models::Task::kRegression);
}

File classifier(const std::string& post, const Floats& weights, const Floats& base) {
  File file(2);
  ::onnx::NodeProto& node = file.then("TreeEnsembleClassifier", "label");
  node.add_output("probabilities");
  set(node, "classlabels_int64s", Integers{0, 1});
  set(node, "post_transform", post);
  if (!base.empty()) set(node, "base_values", base);
  add_stumps(node, "BRANCH_LT");
  add_weights(node, "class", weights);
  file.graph.node("ZipMap", "output_probability", {"probabilities"}, kMlDomain);
  return file;
}

TEST(PlainOnnx, ReadsBoostedClassifiersAsConvertersWriteThem) {
  EXPECT_NEAR(classifier("LOGISTIC", {-1, 2, .5F, .25F}, {}).score({0, 0}), logistic(-.75), 1e-12);
  EXPECT_NEAR(
      classifier("LOGISTIC", {-1, 2, .5F, .25F}, {.5F}).score({0, 0}), logistic(-.25), 1e-12);
  EXPECT_THAT(classifier("LOGISTIC", {1, 2, .5F, .25F}, {}).refusal(), HasSubstr("never negative"));
  EXPECT_THAT(classifier("NONE", {-1, 2, .5F, .25F}, {}).refusal(), HasSubstr("NONE"));
  EXPECT_THAT(classifier("PROBIT", {-1, 2, .5F, .25F}, {}).refusal(), HasSubstr("PROBIT"));
}

TEST(PlainOnnx, TakesScoresOfOneClassForProbabilitiesOnlyWithinOne) {
  EXPECT_EQ(classifier("NONE", {.5F, .25F, .5F, .125F}, {}).score({0, 0}), .5 + .125);
  EXPECT_THAT(classifier("NONE", {.5F, .25F, .5F, .625F}, {}).refusal(), HasSubstr("not within 1"));
  EXPECT_THAT(classifier("NONE", {.5F, .25F, .5F, .125F}, {.25F}).refusal(),
              HasSubstr("not within 1"));
  EXPECT_THAT(classifier("NONE", {.5F, .25F, .5F, .125F}, {-.25F}).refusal(),
              HasSubstr("not within 1"));
}

File forest(const Floats& weights) {
  File file(2);
  ::onnx::NodeProto& node = file.then("TreeEnsembleClassifier", "label");
  node.add_output("probabilities");
  set(node, "classlabels_strings", std::vector<std::string>{"no", "yes"});
  set(node, "post_transform", "NONE");
  add_stumps(node, "BRANCH_LEQ");
  set(node, "class_treeids", Integers{0, 0, 0, 0, 1, 1, 1, 1});
  set(node, "class_nodeids", Integers{7, 7, 8, 8, 7, 7, 8, 8});
  set(node, "class_ids", Integers{0, 1, 0, 1, 0, 1, 0, 1});
  set(node, "class_weights", weights);
  return file;
}

TEST(PlainOnnx, ReadsForestsAsConvertersWriteThem) {
  File file = forest({.5F, 0, .125F, .375F, .25F, .25F, 0, .5F});
  EXPECT_EQ(file.score({2, -1}), .375 + .25);
  EXPECT_EQ(file.score({0, 0}), .5);
  ::onnx::NodeProto& same = *file.proto.mutable_graph()->mutable_node(0);
  for (::onnx::AttributeProto& one : *same.mutable_attribute())
    if (one.name() == "post_transform") one.set_s("SOFTMAX");
  EXPECT_NEAR(file.score({2, -1}), logistic((.375 + .25) - (.125 + .25)), 1e-12);
}

TEST(PlainOnnx, TakesScoresOfTwoClassesForProbabilitiesOnlyWhenTheyAre) {
  // The trees need not count alike.
  EXPECT_EQ(forest({.75F, 0, .25F, .5F, .25F, 0, 0, .25F}).score({2, -1}), .5);
  const std::vector<Floats> not_probabilities{
      {.5F, 0, .125F, .375F, .25F, .25F, 0, .25F},  // a leaf of less than its tree's others
      {.5F, 0, .125F, .375F, .5F, .5F, 0, 1},       // 1.5 in all
      {.5F, 0, .125F, .375F, .75F, -.25F, 0, .5F},  // below 0
      {30, 10, 5, 35, 1, 39, 20, 20},               // rows, to be divided by their number
      {.5F, 0, .125F, .375F, .25F, .25F, 0, kMissing}};
  for (const Floats& weights : not_probabilities) {
    const auto made = forest(weights).read();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, Refusal::Kind::kUnsupported);
    EXPECT_THAT(made.error().text, HasSubstr("no probabilities"));
  }
}

TEST(PlainOnnx, ALeafThatIsGivenNoWeightAddsNothing) {
  File file = regressor("BRANCH_LT");
  for (::onnx::AttributeProto& one :
       *file.proto.mutable_graph()->mutable_node(0)->mutable_attribute()) {
    if (one.name() == "target_weights") one.mutable_floats()->RemoveLast();
    if (one.name().starts_with("target_") && one.ints_size() > 0) one.mutable_ints()->RemoveLast();
  }
  EXPECT_EQ(file.score({0, -2}), 100 + 1 + 10);
  EXPECT_EQ(file.score({0, 0}), 100 + 1);
}

TEST(PlainOnnx, ReadsPipelinesOfImputerScalerAndLinearModel) {
  File file(2);
  ::onnx::NodeProto& imputer = file.then("Imputer", "imputed");
  set(imputer, "imputed_value_floats", Floats{3, 4});
  set(imputer, "replaced_value_float", kMissing);
  ::onnx::NodeProto& scaler = file.then("Scaler", "scaled");
  set(scaler, "offset", Floats{1, 2});
  set(scaler, "scale", Floats{.5F, 2});
  ::onnx::NodeProto& model = file.then("LinearRegressor", "variable");
  set(model, "coefficients", Floats{10, 100});
  set(model, "intercepts", Floats{1000});
  EXPECT_EQ(file.score({3, 2}), 1010);
  EXPECT_EQ(file.score({kMissing, kMissing}), 1000 + 10 + 400);
}

File logistic_regression(const std::string& post, const Floats& weights, const Floats& intercepts) {
  File file(2);
  ::onnx::NodeProto& model = file.then("LinearClassifier", "label");
  model.add_output("raw");
  set(model, "classlabels_ints", Integers{0, 1});
  set(model, "coefficients", weights);
  set(model, "intercepts", intercepts);
  set(model, "post_transform", post);
  set(file.graph.node("Normalizer", "probabilities", {"raw"}, kMlDomain), "norm", "L1");
  file.graph.node("ZipMap", "output_probability", {"probabilities"}, kMlDomain);
  return file;
}

TEST(PlainOnnx, ReadsLogisticRegressionAsConvertersWriteIt) {
  EXPECT_NEAR(logistic_regression("LOGISTIC", {-1, 2, 1, -2}, {-.5F, .5F}).score({1, 2}),
              logistic(1 - 4 + .5),
              1e-12);
  EXPECT_NEAR(logistic_regression("SOFTMAX", {0, 1, 1, -2}, {1, .5F}).score({1, 2}),
              logistic(1 - 4 + .5 - 2 - 1),
              1e-12);
  EXPECT_THAT(logistic_regression("LOGISTIC", {-1, 2, 1, -3}, {-.5F, .5F}).refusal(),
              HasSubstr("LinearClassifier: LOGISTIC"));
  EXPECT_THAT(logistic_regression("LOGISTIC", {-1, 2}, {.5F}).refusal(), HasSubstr("two classes"));
}

TEST(PlainOnnx, NamesTheOperatorThatItDoesNotRead) {
  File conv(2);
  conv.graph.node("Conv", "y", {"X"});
  EXPECT_EQ(conv.refusal(), "operator Conv");
  File svm(2);
  svm.then("SVMClassifier", "label");
  EXPECT_EQ(svm.refusal(), "operator SVMClassifier");
  File behind = regressor("BRANCH_LT");
  behind.graph.node("Exp", "y", {"variable"});
  EXPECT_EQ(behind.refusal(), "operator Exp behind the model");
  File beside = regressor("BRANCH_LT");
  beside.graph.node("Cast", "y", {"X"});
  EXPECT_EQ(beside.refusal(), "Cast beside the model");
  EXPECT_EQ(File(2).refusal(), "no model among its operators");
  EXPECT_THAT(regressor("BRANCH_EQ").refusal(), HasSubstr("node 9 of tree 0: BRANCH_EQ"));
  EXPECT_THAT(File(5000).refusal(), HasSubstr("2,047"));
}

File damaged(const std::string& attribute,
             const std::function<void(::onnx::AttributeProto&)>& damage) {
  File file = regressor("BRANCH_LT");
  for (::onnx::AttributeProto& one :
       *file.proto.mutable_graph()->mutable_node(0)->mutable_attribute())
    if (one.name() == attribute) damage(one);
  return file;
}

TEST(PlainOnnx, RefusesEnsemblesThatAreNoTrees) {
  const auto with = [](const std::string& attribute, int i, std::int64_t value) {
    return damaged(attribute, [=](::onnx::AttributeProto& one) { one.set_ints(i, value); })
        .refusal();
  };
  EXPECT_THAT(with("nodes_truenodeids", 2, 9), HasSubstr("holds a cycle"));
  EXPECT_THAT(with("nodes_truenodeids", 2, 8), HasSubstr("share a child"));
  EXPECT_THAT(with("nodes_truenodeids", 2, 99), HasSubstr("no child 99"));
  EXPECT_THAT(with("nodes_nodeids", 1, 7), HasSubstr("is there twice"));
  EXPECT_THAT(with("nodes_featureids", 2, 2), HasSubstr("feature"));
  EXPECT_THAT(with("target_nodeids", 0, 9), HasSubstr("no leaf"));
  EXPECT_THAT(with("target_nodeids", 0, 8), HasSubstr("twice"));
  EXPECT_THAT(with("target_nodeids", 0, 99), HasSubstr("not there"));
  const auto shorter = [](::onnx::AttributeProto& one) { one.mutable_floats()->RemoveLast(); };
  EXPECT_THAT(damaged("nodes_values", shorter).refusal(), HasSubstr("differ in length"));
  EXPECT_THAT(damaged("target_weights", shorter).refusal(), HasSubstr("differ in length"));
  const auto infinite = [](::onnx::AttributeProto& one) {
    one.set_floats(2, std::numeric_limits<float>::infinity());
  };
  EXPECT_THAT(damaged("nodes_values", infinite).refusal(), HasSubstr("finite"));
}

}  // namespace
}  // namespace liminal::onnx
