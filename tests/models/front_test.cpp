#include "io/onnx/front.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "core/base/random.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnxruntime/session.hpp"

namespace liminal {
namespace {

using onnxruntime::Session;

class Front : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = onnxruntime::Library::open_usual();
    if (!opened) GTEST_SKIP() << opened.error().text;
    library_ = *opened;
  }

  [[nodiscard]] std::vector<double> answers(const std::string& model,
                                            const std::vector<float>& values,
                                            std::size_t rows) const {
    const auto session = Session::create(library_, model);
    if (!session) {
      ADD_FAILURE() << session.error().text;
      return {};
    }
    const auto outputs = session->run(values, rows);
    if (!outputs) {
      ADD_FAILURE() << outputs.error().text;
      return {};
    }
    return outputs->front().values;
  }

  std::shared_ptr<const onnxruntime::Library> library_;
};

/// The sum of three weighted inputs.
std::string sum_of_three() {
  ::onnx::ModelProto file;
  file.set_ir_version(8);
  file.add_opset_import()->set_version(17);
  file.mutable_graph()->set_name("sum");
  onnx::GraphWriter graph(*file.mutable_graph());
  graph.input("x", 3);
  const std::string weights = graph.floats("weights", std::vector<float>{1, 10, 100}, {3, 1});
  graph.node("MatMul", "y", {"x", weights});
  graph.output("y", ::onnx::TensorProto::FLOAT, 1);
  return file.SerializeAsString();
}

TEST_F(Front, ScalesWhatTheModelGets) {
  const onnx::Front front{4, {3, 0, 3}, {1, 2, 4}, {2, .5F, 8}};
  const auto model = onnx::with_front(sum_of_three(), front);
  ASSERT_TRUE(model) << model.error().text;
  constexpr std::size_t kRows = 50;
  Random random(8);
  std::vector<float> given, scaled;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (int f = 0; f < 4; ++f) given.push_back(static_cast<float>(random.normal()));
    if (row % 5 == 1) given[row * 4 + 3] = std::numeric_limits<float>::quiet_NaN();
    if (row % 5 == 2) given[row * 4] = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < 3; ++i) {
      const float value = given[row * 4 + static_cast<std::size_t>(front.columns[i])];
      scaled.push_back(std::isfinite(value) ? (value - front.mean[i]) / front.deviation[i] : 0.F);
    }
  }
  const auto expected = answers(sum_of_three(), scaled, kRows);
  const auto got = answers(*model, given, kRows);
  ASSERT_EQ(got.size(), kRows);
  EXPECT_EQ(got, expected);
}

/// Windows of ten rows of a CSV file by Kenning's data set: the values, and the label behind them.
struct Windows {
  static constexpr std::size_t kRows = 10, kFeatures = 4, kWidth = kRows * kFeatures;
  std::vector<float> values;
  std::vector<bool> labels;
};

Windows read_windows(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  std::vector<float> values;
  std::vector<bool> labels;
  while (std::getline(in, line)) {
    std::istringstream cells(line);
    std::vector<float> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(std::stof(cell));
    values.insert(values.end(), row.begin() + 1, row.end() - 1);
    labels.push_back(row.back() > 0);
  }
  Windows windows;
  for (std::size_t i = 0; i + Windows::kRows < labels.size(); ++i) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * Windows::kFeatures);
    windows.values.insert(windows.values.end(), begin, begin + Windows::kWidth);
    windows.labels.push_back(labels[i + Windows::kRows]);
  }
  return windows;
}

/// The front of a run of Kenning on windows: each place in the window by itself.
onnx::Front front_of(const Windows& windows) {
  onnx::Front front;
  front.features = Windows::kWidth;
  const auto rows = static_cast<double>(windows.labels.size());
  for (std::size_t i = 0; i < Windows::kWidth; ++i) {
    double sum = 0, squares = 0;
    for (std::size_t row = 0; row < windows.labels.size(); ++row)
      sum += static_cast<double>(windows.values[row * Windows::kWidth + i]);
    for (std::size_t row = 0; row < windows.labels.size(); ++row)
      squares +=
          std::pow(static_cast<double>(windows.values[row * Windows::kWidth + i]) - sum / rows, 2);
    front.columns.push_back(static_cast<std::int64_t>(i));
    front.mean.push_back(static_cast<float>(sum / rows));
    front.deviation.push_back(static_cast<float>(std::sqrt(squares / rows)));
  }
  return front;
}

TEST_F(Front, MakesARealKenningModelWorkOnRowsAsTheyAre) {
  const auto folder = std::filesystem::path(LIMINAL_SOURCE) / "../shared/data/kenning";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no record of a real run in " << folder;
  std::ifstream in(folder / "model.0.onnx", std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  const Windows windows = read_windows(folder / "nonneg.csv");
  ASSERT_EQ(windows.labels.size(), 2990U);
  const auto model = onnx::with_front(file, front_of(windows));
  ASSERT_TRUE(model) << model.error().text;
  double flagged = 0, right = 0, positives = 0;
  const auto said = answers(*model, windows.values, windows.labels.size());
  ASSERT_EQ(said.size(), windows.labels.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    ASSERT_TRUE(said[i] == 0 || said[i] == 1);
    flagged += said[i];
    positives += windows.labels[i] ? 1 : 0;
    right += windows.labels[i] ? said[i] : 0;
  }
  EXPECT_NEAR(right / flagged, .88, .005);    // precision
  EXPECT_NEAR(right / positives, .79, .005);  // recall
  const auto raw = answers(file, windows.values, windows.labels.size());
  EXPECT_TRUE(std::all_of(raw.begin(), raw.end(), [](double flag) { return flag == 1; }));
}

}  // namespace
}  // namespace liminal
