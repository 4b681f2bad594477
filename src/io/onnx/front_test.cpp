#include "io/onnx/front.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "io/onnx/graph.hpp"
#include "io/onnx/read.hpp"

namespace liminal::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// max(x) of a row of two, one row a call.
::onnx::ModelProto file() {
  ::onnx::ModelProto made;
  made.set_ir_version(6);
  ::onnx::OperatorSetIdProto& operators = *made.add_opset_import();
  operators.set_domain("");
  operators.set_version(11);
  ::onnx::GraphProto& graph = *made.mutable_graph();
  graph.set_name("torch");
  GraphWriter writer(graph);
  writer.input("input_1", 2);
  graph.mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(1);
  writer.node("ReduceMax", "largest", {"input_1"});
  writer.node("Sub", "distances", {"largest", "input_1"});
  writer.output("distances", ::onnx::TensorProto::FLOAT, 2);
  return made;
}

Front front() { return {3, {2, 0}, {1, 2}, {4, 8}}; }

std::string refusal(const ::onnx::ModelProto& model, const Front& wanted = front()) {
  const auto made = with_front(model.SerializeAsString(), wanted);
  return made ? "" : made.error().text;
}

std::vector<std::string> operators_of(const std::string& bytes) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  std::vector<std::string> found;
  for (const ::onnx::NodeProto& node : model.graph().node()) found.push_back(node.op_type());
  return found;
}

TEST(Front, StandsBeforeTheGraphUnderTheInputsName) {
  const auto bytes = with_front(file().SerializeAsString(), front());
  ASSERT_TRUE(bytes) << bytes.error().text;
  ::onnx::ModelProto made;
  ASSERT_TRUE(made.ParseFromString(*bytes));
  const ::onnx::GraphProto& graph = made.graph();
  EXPECT_THAT(operators_of(*bytes),
              ElementsAre("Gather", "Sub", "IsNaN", "Where", "Sub", "Div", "ReduceMax", "Sub"));
  ASSERT_EQ(graph.input_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "input_1");
  EXPECT_EQ(graph.input(0).type().tensor_type().shape().dim(0).dim_value(), 1);
  EXPECT_EQ(graph.input(0).type().tensor_type().shape().dim(1).dim_value(), 3);
  EXPECT_THAT(graph.node(0).input(0), "input_1");
  EXPECT_THAT(graph.node(6).input(0), "liminal.front/scaled");
  EXPECT_THAT(graph.node(7).input(), ElementsAre("largest", "liminal.front/scaled"));
  const GraphView view(graph);
  EXPECT_THAT(view.integers("liminal.front/columns"), ElementsAre(2, 0));
  EXPECT_THAT(view.floats("liminal.front/mean"), ElementsAre(1, 2));
  EXPECT_THAT(view.floats("liminal.front/deviation"), ElementsAre(4, 8));
}

TEST(Front, PicksNothingWhereAllFeaturesAreTakenInOrder) {
  const auto bytes = with_front(file().SerializeAsString(), {2, {0, 1}, {1, 2}, {4, 8}});
  ASSERT_TRUE(bytes) << bytes.error().text;
  EXPECT_THAT(operators_of(*bytes),
              ElementsAre("Sub", "IsNaN", "Where", "Sub", "Div", "ReduceMax", "Sub"));
}

TEST(Front, GraphsWithinTheGraphTakeItToo) {
  ::onnx::ModelProto model = file();
  ::onnx::NodeProto& chooses = *model.mutable_graph()->mutable_node(0);
  chooses.set_op_type("If");
  ::onnx::AttributeProto& then = *chooses.add_attribute();
  then.set_name("then_branch");
  then.set_type(::onnx::AttributeProto::GRAPH);
  GraphWriter(*then.mutable_g()).node("ReduceMax", "inner", {"input_1"});
  const auto bytes = with_front(model.SerializeAsString(), front());
  ASSERT_TRUE(bytes) << bytes.error().text;
  ::onnx::ModelProto made;
  ASSERT_TRUE(made.ParseFromString(*bytes));
  EXPECT_EQ(made.graph().node(6).attribute(0).g().node(0).input(0), "liminal.front/scaled");
}

TEST(Front, IsRefusedWhereItDoesNotFit) {
  EXPECT_EQ(refusal(file()), "");
  EXPECT_THAT(refusal(file(), {3, {0}, {1}, {1}}), HasSubstr("input_1 takes 2 values, not 1"));
  ::onnx::ModelProto model = file();
  model.mutable_opset_import(0)->set_version(8);
  EXPECT_THAT(refusal(model), HasSubstr("before ONNX 9"));
  model = file();
  GraphWriter(*model.mutable_graph()).input("other", 2);
  EXPECT_THAT(refusal(model), HasSubstr("several inputs"));
  GraphWriter(*model.mutable_graph()).floats("other", std::vector<float>{1, 2}, {1, 2});
  EXPECT_EQ(refusal(model), "");  // a constant that stands among the inputs, as it once had to
  model = file();
  model.mutable_graph()->clear_input();
  EXPECT_THAT(refusal(model), HasSubstr("without an input"));
  model = file();
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      ::onnx::TensorProto::DOUBLE);
  EXPECT_THAT(refusal(model), HasSubstr("is not of floats"));
  const auto once = with_front(file().SerializeAsString(), {2, {0, 1}, {1, 2}, {4, 8}});
  EXPECT_THAT(with_front(*once, {2, {0, 1}, {1, 2}, {4, 8}}).error().text,
              HasSubstr("a front already"));
  EXPECT_EQ(with_front("no file", front()).error().kind, Refusal::Kind::kBroken);
}

}  // namespace
}  // namespace liminal::onnx
