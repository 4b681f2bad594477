#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/models/evaluator.hpp"
#include "io/onnx/read.hpp"
#include "io/onnxruntime/session.hpp"

// Files that the converters of scikit-learn, LightGBM and XGBoost wrote (converted/make.py): our
// evaluator answers as the libraries did, and as ONNX Runtime does.
namespace liminal {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(LIMINAL_SOURCE) / "tests/models/converted";

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> numbers(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<float> found;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) found.push_back(std::stof(field));
  }
  return found;
}

/// Within 1e-6, relative above 1.
void expect_near(double ours, double theirs) {
  EXPECT_LE(std::abs(ours - theirs), 1e-6 * std::max(1., std::abs(theirs)))
      << ours << " and " << theirs;
}

struct Case {
  std::string name;
  std::string rows;  ///< the file of the rows that the library was asked about
};

class Converted : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    bytes_ = bytes_of(kFolder / (GetParam().name + ".onnx"));
    rows_ = numbers(kFolder / GetParam().rows);
    ASSERT_FALSE(rows_.empty());
    const auto model = onnx::read(bytes_);
    ASSERT_TRUE(model) << model.error().text;
    task_ = model->metadata.task;
    const auto machine = models::Evaluator::create(*model);
    ASSERT_TRUE(machine);
    answers_.resize(rows_.size() / machine->features());
    machine->predict_batch(rows_, answers_);
  }

  std::string bytes_;
  std::vector<float> rows_;
  models::Task task_ = models::Task::kRegression;
  std::vector<models::Prediction> answers_;
};

TEST_P(Converted, AnswersAsTheLibraryItself) {
  const std::vector<float> expected = numbers(kFolder / (GetParam().name + ".csv"));
  ASSERT_EQ(expected.size(), answers_.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    expect_near(answers_[i].score, static_cast<double>(expected[i]));
}

TEST_P(Converted, AnswersAsOnnxRuntime) {
  const auto library = onnxruntime::Library::open_usual();
  if (!library) GTEST_SKIP() << library.error().text;
  const auto session = onnxruntime::Session::create(*library, bytes_);
  ASSERT_TRUE(session) << session.error().text;
  const auto outputs = session->run(rows_, answers_.size());
  ASSERT_TRUE(outputs) << outputs.error().text;
  // A classifier's probabilities are maps, which are left out: its label is compared.
  const std::vector<double>& theirs = outputs->front().values;
  ASSERT_EQ(theirs.size(), answers_.size());
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (task_ == models::Task::kRegression) {
      expect_near(answers_[i].score, theirs[i]);
    } else if (std::abs(answers_[i].score - .5) > 1e-6) {
      EXPECT_EQ(theirs[i], answers_[i].score > .5 ? 1 : 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(,
                         Converted,
                         ::testing::Values(Case{"random_forest_classifier", "full_rows.csv"},
                                           Case{"random_forest_regressor", "full_rows.csv"},
                                           Case{"extra_trees_classifier", "full_rows.csv"},
                                           Case{"gradient_boosting_classifier", "full_rows.csv"},
                                           Case{"gradient_boosting_regressor", "full_rows.csv"},
                                           Case{"linear_regression", "full_rows.csv"},
                                           Case{"logistic_regression", "full_rows.csv"},
                                           Case{"pipeline", "rows.csv"},
                                           Case{"lightgbm_classifier", "rows.csv"},
                                           Case{"lightgbm_regressor", "rows.csv"},
                                           Case{"xgboost_classifier", "rows.csv"},
                                           Case{"xgboost_regressor", "rows.csv"}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace liminal
