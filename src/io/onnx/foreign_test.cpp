#include "io/onnx/foreign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/onnx/read.hpp"
#include "io/onnx/test_foreign.hpp"
#include "io/onnx/write.hpp"

namespace liminal::onnx {
namespace {

using testing::foreign_file;

models::Metadata metadata(const std::string& name) {
  models::Metadata made;
  made.name = name;
  made.task = models::Task::kAnomaly;
  made.features = {{"rate", "1/min"}, {"size", "B"}, {"c", ""}, {"d", ""}};
  made.trainer = "kenning";
  made.line = 2;
  made.facts = {{"output", "y"}};
  return made;
}

TEST(Foreign, IsLeftToOthersByTheReader) {
  const auto made = read(foreign_file());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, Refusal::Kind::kUnsupported);
}

TEST(Foreign, SaysNothingOfItselfUntilItIsDescribed) {
  const std::string file = foreign_file();
  EXPECT_EQ(*description_of(file), std::nullopt);
  const auto described = describe(file, metadata("one"));
  ASSERT_TRUE(described);
  EXPECT_EQ(**description_of(*described), metadata("one"));
  EXPECT_EQ(read(*described).error().kind, Refusal::Kind::kUnsupported);
}

TEST(Foreign, KeepsTheRestToTheByteAndTheLastDescription) {
  const std::string file = foreign_file();
  const std::string once = *describe(file, metadata("one"));
  EXPECT_EQ(once.substr(0, file.size()), file);
  const std::string twice = *describe(once, metadata("another"));
  EXPECT_EQ(twice, *describe(file, metadata("another")));
  EXPECT_EQ((*description_of(twice))->name, "another");
}

TEST(Foreign, OursIsNoForeignFile) {
  models::Model model;
  model.metadata.task = models::Task::kRegression;
  model.metadata.features = {{"x", ""}};
  model.predictor = models::Linear{{}, {1}, 0, models::Link::kIdentity};
  EXPECT_EQ(*description_of(*write(model)), std::nullopt);
}

TEST(Foreign, RefusesWhatIsNoMessage) {
  for (const std::string_view bytes : {"", "hello", "\x72\x7f"}) {
    EXPECT_EQ(description_of(bytes).error().kind, Refusal::Kind::kBroken);
    EXPECT_EQ(describe(bytes, metadata("x")).error().kind, Refusal::Kind::kBroken);
  }
}

TEST(Foreign, ADescriptionThatLacksSomethingIsBroken) {
  ::onnx::ModelProto file;
  file.ParseFromString(*describe(foreign_file(), metadata("one")));
  file.mutable_metadata_props()->DeleteSubrange(3, 1);
  EXPECT_EQ(description_of(file.SerializeAsString()).error().kind, Refusal::Kind::kBroken);
}

TEST(Onnx, WritesNoFileThatItWouldNotRead) {
  models::Model model;
  model.metadata.task = models::Task::kRegression;
  model.metadata.features = {{"x", ""}};
  // 2,047² weights of 4 bytes are 16 MiB.
  const auto layer = [](std::uint32_t rows, std::uint32_t columns) {
    return models::Layer{rows,
                         columns,
                         std::vector<float>(std::size_t{rows} * columns, 1.5F),
                         std::vector<float>(rows),
                         models::Activation::kRelu};
  };
  models::Mlp network;
  network.layers = {layer(2047, 1)};
  for (int i = 0; i < 5; ++i) network.layers.push_back(layer(2047, 2047));
  network.layers.push_back(layer(1, 2047));
  network.layers.back().activation = models::Activation::kIdentity;
  model.predictor = network;
  ASSERT_TRUE(validate(model).empty());
  const auto written = write(model);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, Refusal::Kind::kUnsupported);
  EXPECT_THAT(written.error().text, ::testing::HasSubstr("64 MiB"));
}

}  // namespace
}  // namespace liminal::onnx
