#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <functional>

#include "core/models/test_models.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/names.hpp"
#include "io/onnx/parsed_size.hpp"
#include "io/onnx/peak_memory.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"

namespace liminal::onnx {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

constexpr std::size_t kLength = 2 << 20;

/// Reads within what `read` promises.
Read<models::Model> read_within_bounds(const std::string& bytes) {
  Read<models::Model> made = tl::unexpected(Refusal{});
  const std::size_t peak = testing::peak_of([&] { made = read(bytes); });
  EXPECT_LE(peak, kMemoryFactor * bytes.size() + kMemorySlack)
      << static_cast<double>(peak) / static_cast<double>(bytes.size()) << " times " << bytes.size()
      << " bytes" << (made ? "" : ": " + made.error().text);
  return made;
}

/// A field of bytes, as the wire format has it.
std::string field(int number, std::string_view content) {
  std::string made;
  const auto put = [&](std::size_t value) {
    for (; value >= 128; value /= 128) made += static_cast<char>(value % 128 + 128);
    made += static_cast<char>(value);
  };
  put(static_cast<std::size_t>(number) * 8 + 2);
  put(content.size());
  return made.append(content);
}

/// The same few bytes until the length is reached.
std::string repeated(std::string_view part) {
  std::string made;
  while (made.size() < kLength) made += part;
  return made;
}

TEST(ReadMemory, IsBoundedForFilesOfTinyParts) {
  constexpr int kGraph = 7, kNode = 1, kAttribute = 5, kInitializer = 5, kInput = 1;
  const std::string node = field(kNode, "");
  const std::vector<std::string> files{
      field(kGraph, repeated(node)),
      field(kGraph, repeated(field(kInitializer, ""))),
      field(kGraph, field(kNode, repeated(field(kInput, "")))),
      field(kGraph, field(kNode, repeated(field(kAttribute, "")))),
      repeated(field(14, "")),      // metadata
      repeated(field(kGraph, "")),  // graphs, which are merged
      repeated(field(3000, "")),    // fields that ONNX does not have
      repeated("\x98\x7f\x01"),
      repeated(std::string("\x03\x04")),  // a group
  };
  for (const std::string& bytes : files) {
    const auto made = read_within_bounds(bytes);
    ASSERT_FALSE(made);
    EXPECT_FALSE(made.error().text.empty());
  }
  const auto made = read(files.front());
  EXPECT_EQ(made.error().kind, Refusal::Kind::kUnsupported);
  EXPECT_THAT(made.error().text, HasSubstr("many small parts"));
}

::onnx::ModelProto ours(std::size_t kind) {
  Random random(4);
  ::onnx::ModelProto file;
  file.ParseFromString(*write(models::testing::model(random, kind)));
  return file;
}

TEST(ReadMemory, IsBoundedForABlendOfManyWeights) {
  ::onnx::ModelProto file = ours(9);
  for (::onnx::TensorProto& constant : *file.mutable_graph()->mutable_initializer()) {
    if (constant.name() == names::kMemberWeights)
      constant.mutable_float_data()->Resize(kLength / 4, 1.F);
  }
  const auto made = read_within_bounds(file.SerializeAsString());
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, HasSubstr("more than 256 members"));
}

TEST(ReadMemory, IsBoundedForListsInTheMetadata) {
  for (const std::string_view part : {"[", "[],", "\"\",", "1,", "{\"a\":", "null,"}) {
    ::onnx::ModelProto file = ours(0);
    for (::onnx::StringStringEntryProto& entry : *file.mutable_metadata_props())
      if (entry.key() == "liminal.facts") entry.set_value("[" + repeated(part));
    EXPECT_FALSE(read_within_bounds(file.SerializeAsString())) << part;
  }
}

/// As many trees of one leaf as fit, their attributes packed tightly.
TEST(ReadMemory, IsBoundedForManyTinyTrees) {
  ::onnx::ModelProto file;
  GraphWriter graph(*file.mutable_graph());
  graph.input("X", 1);
  ::onnx::NodeProto& node = graph.node("TreeEnsembleRegressor", "trees", {"X"}, kMlDomain);
  const std::size_t count = kLength / 30;
  Integers trees(count);
  for (std::size_t i = 0; i < count; ++i) trees[i] = static_cast<std::int64_t>(i);
  const Integers none(count);
  const std::vector<float> zeros(count);
  set(node, "nodes_treeids", trees);
  for (const char* name :
       {"nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"})
    set(node, name, none);
  set(node, "nodes_values", zeros);
  set(node, "nodes_modes", std::vector<std::string>(count, "LEAF"));
  set(node, "target_treeids", trees);
  for (const char* name : {"target_nodeids", "target_ids"}) set(node, name, none);
  set(node, "target_weights", zeros);
  const auto made = read_within_bounds(file.SerializeAsString());
  EXPECT_TRUE(made) << made.error().text;
}

TEST(ReadMemory, IsBoundedForModelsOfEveryKind) {
  for (std::size_t kind = 0; kind < models::testing::kKinds; ++kind)
    EXPECT_TRUE(read_within_bounds(ours(kind).SerializeAsString()));
  Random random(1);
  models::Model large{models::testing::metadata(random, 8, models::Task::kRegression),
                      models::testing::boosted(random, 8, 30, {11, .01}, true)};
  EXPECT_TRUE(read_within_bounds(*write(large)));
}

TEST(ParsedSize, IsNotLessThanWhatTheLibraryTakes) {
  for (std::size_t kind = 0; kind < models::testing::kKinds; ++kind) {
    const std::string bytes = ours(kind).SerializeAsString();
    const auto size = parsed_size(bytes);
    ASSERT_TRUE(size);
    ::onnx::ModelProto file;
    const std::size_t peak = testing::peak_of([&] { file.ParseFromString(bytes); });
    EXPECT_LE(peak, *size);
    EXPECT_GE(8 * peak, *size);
  }
}

TEST(ParsedSize, TellsWhatIsNoMessage) {
  const std::string bytes = ours(3).SerializeAsString();
  EXPECT_FALSE(parsed_size(std::string_view(bytes).substr(0, bytes.size() - 1)));
  EXPECT_FALSE(parsed_size(std::string_view("\x3a\x7f\x01", 3)));  // longer than the file
  EXPECT_FALSE(parsed_size("\x03\x04"));                           // a group
  EXPECT_FALSE(parsed_size(std::string_view("\0", 1)));
  EXPECT_TRUE(parsed_size(""));
  std::string nested;
  // graph → node → attribute → graph …
  for (int i = 0; i < 60; ++i) nested = field(6, field(1, field(5, nested)));
  EXPECT_FALSE(parsed_size(field(7, field(1, field(5, nested)))));
}

}  // namespace
}  // namespace liminal::onnx
