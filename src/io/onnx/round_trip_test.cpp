#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <rapidcheck/gtest.h>

#include <bit>

#include "core/models/evaluator.hpp"
#include "core/models/test_models.hpp"
#include "io/onnx/graph_of.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"

namespace liminal::onnx {
namespace {

using ::testing::HasSubstr;

std::vector<models::Prediction> answers(const models::Model& model, std::span<const float> rows) {
  const auto machine = models::Evaluator::create(model);
  EXPECT_TRUE(machine);
  std::vector<models::Prediction> made(rows.size() / machine->features());
  machine->predict_batch(rows, made);
  return made;
}

::onnx::ModelProto parsed(const std::string& bytes) {
  ::onnx::ModelProto file;
  EXPECT_TRUE(file.ParseFromString(bytes));
  return file;
}

models::Model example(std::size_t kind) {
  Random random(4);
  return models::testing::model(random, kind);
}

RC_GTEST_PROP(Onnx, WhatIsReadAgainAnswersTheSameBits, (std::uint32_t seed)) {
  Random random(seed);
  const models::Model model = models::testing::model(random, random.below(models::testing::kKinds));
  const std::string bytes = *write(model);
  const Read<models::Model> again = read(bytes);
  if (!again) RC_FAIL(again.error().text);
  RC_ASSERT(again->metadata == model.metadata);
  RC_ASSERT(write(*again) == bytes);
  const std::vector<float> rows = models::testing::rows(random, model.metadata.features.size(), 20);
  const auto before = answers(model, rows);
  const auto after = answers(*again, rows);
  for (std::size_t i = 0; i < before.size(); ++i) {
    RC_ASSERT(std::bit_cast<std::uint64_t>(before[i].score) ==
              std::bit_cast<std::uint64_t>(after[i].score));
    RC_ASSERT(std::bit_cast<std::uint64_t>(before[i].margin) ==
              std::bit_cast<std::uint64_t>(after[i].margin));
    RC_ASSERT(before[i].cluster == after[i].cluster);
  }
}

TEST(Onnx, KeepsCoversSoThatExplanationsStayTheSame) {
  const models::Model model = example(0);
  const models::Model again = *read(*write(model));
  EXPECT_EQ(std::get<models::Trees>(again.predictor).trees,
            std::get<models::Trees>(model.predictor).trees);
}

TEST(Onnx, KeepsTextOfAnyKind) {
  models::Model model = example(3);
  model.metadata.name = "größe\n\"quoted\"";
  model.metadata.features[0] = {"a,b\n", "µs"};
  model.metadata.facts = {{"", ""}, {"rows", "12"}};
  const models::Model again = *read(*write(model));
  EXPECT_EQ(again.metadata, model.metadata);
  model.metadata.trainer = "\xff";  // no UTF-8; only lists are JSON
  EXPECT_EQ(read(*write(model))->metadata.trainer, "\xff");
}

TEST(Onnx, RefusesAGraphThatItsMetadataDoNotDescribe) {
  for (std::size_t kind = 0; kind < models::testing::kKinds; ++kind) {
    ::onnx::ModelProto file = parsed(*write(example(kind)));
    ::onnx::NodeProto& more = *file.mutable_graph()->add_node();
    more.set_op_type("Neg");
    more.set_name("more");
    const auto made = read(file.SerializeAsString());
    ASSERT_FALSE(made) << kind;
    EXPECT_EQ(made.error().kind, Refusal::Kind::kUnsupported);
    EXPECT_THAT(made.error().text, HasSubstr("not the one that its metadata speak of"));
  }
}

TEST(Onnx, RefusesMetadataThatLackSomething) {
  const std::string bytes = *write(example(0));
  const int count = parsed(bytes).metadata_props_size();
  for (int i = 1; i < count; ++i) {
    ::onnx::ModelProto file = parsed(bytes);
    file.mutable_metadata_props()->DeleteSubrange(i, 1);
    EXPECT_FALSE(read(file.SerializeAsString())) << parsed(bytes).metadata_props(i).key();
  }
  ::onnx::ModelProto newer = parsed(bytes);
  newer.mutable_metadata_props(0)->set_value("2");
  EXPECT_THAT(read(newer.SerializeAsString()).error().text, HasSubstr("newer"));
}

TEST(Onnx, RefusesATreeThatIsACycle) {
  models::Model model = example(0);
  auto& trees = std::get<models::Trees>(model.predictor);
  trees.inputs = {};
  trees.trees = {{{{0, 1, 1, 2, true, 0}, {0, 2, 3, 4, true, 0}, {}, {}, {}}}};
  ::onnx::ModelProto file = parsed(*write(model));
  for (::onnx::AttributeProto& attribute :
       *file.mutable_graph()->mutable_node(0)->mutable_attribute()) {
    if (attribute.name() == "nodes_truenodeids") attribute.set_ints(1, 0);
  }
  const auto made = read(file.SerializeAsString());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, Refusal::Kind::kBroken);
  EXPECT_EQ(made.error().text, "TreeEnsembleRegressor tree 0 holds a cycle");
}

TEST(Onnx, RefusesWhatIsNoOnnxFile) {
  for (const std::string_view bytes : {"", "hello", "\x08\x08"}) {
    const auto made = read(bytes);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, Refusal::Kind::kBroken);
  }
}

TEST(Onnx, ReadsNoFileThatWasCutShort) {
  const std::string bytes = *write(example(9));
  for (std::size_t length = 0; length < bytes.size(); length += 7)
    EXPECT_FALSE(read(std::string_view(bytes).substr(0, length))) << length;
}

}  // namespace
}  // namespace liminal::onnx
