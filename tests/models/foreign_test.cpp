#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/onnx/read.hpp"
#include "io/onnxruntime/session.hpp"

namespace liminal {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A network that Kenning found: its batch is fixed at one row, and its graph is none of ours.
class Kenning : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path path =
        std::filesystem::path(LIMINAL_SOURCE) / "../shared/data/kenning/model.0.onnx";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no Kenning model at " << path;
    model_ = bytes_of(path);
    auto opened = onnxruntime::Library::open_usual();
    if (!opened) GTEST_SKIP() << opened.error().text;
    library_ = *opened;
  }
  std::string model_;
  std::shared_ptr<const onnxruntime::Library> library_;
};

TEST_F(Kenning, IsLeftToOnnxRuntimeByTheReader) {
  const auto read = onnx::read(model_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, onnx::Refusal::Kind::kUnsupported);
}

TEST_F(Kenning, IsRunOneRowAfterTheOther) {
  const auto session = onnxruntime::Session::create(library_, model_);
  ASSERT_TRUE(session) << session.error().text;
  EXPECT_EQ(session->columns(), 40U);
  std::vector<float> rows(3 * 40, 0.F);
  std::fill(rows.begin() + 40, rows.begin() + 80, 50.F);  // far from anything seen
  const auto outputs = session->run(rows, 3);
  ASSERT_TRUE(outputs) << outputs.error().text;
  ASSERT_EQ(outputs->size(), 1U);
  EXPECT_EQ(outputs->front().shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(outputs->front().values, (std::vector<double>{0, 1, 0}));
}

}  // namespace
}  // namespace liminal
