#include "io/kenning/scenario.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <sstream>

namespace liminal::kenning {
namespace {

using ::testing::Contains;
using ::testing::Pair;

/// "section.key" to value, of YAML in blocks of two levels and more; lists on a line stay text.
std::map<std::string, std::string> read(const std::string& yaml) {
  std::map<std::string, std::string> found;
  std::istringstream lines(yaml);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" -");
    const std::size_t colon = line.find(':');
    if (line.find('\t') != std::string::npos || colon == std::string::npos) return {};
    const std::string key = line.substr(begin, colon - begin);
    if (begin == 0) section = key;
    if (colon + 2 < line.size()) found[section + "." + key] = line.substr(colon + 2);
  }
  return found;
}

TEST(KenningScenario, IsTheRecordedRunsWithWindowsOfOneRow) {
  const auto said = read(yaml_of({.minutes = 2, .models_max = 2, .epochs_max = 4, .seed = 42}));
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"platform.type", "LocalPlatform"},
                                          {"platform.platforms_definitions", "[./platforms.yml]"},
                                          {"dataset.type", "AnomalyDetectionDataset"},
                                          {"dataset.dataset_root", "./data"},
                                          {"dataset.csv_file", "./rows.csv"},
                                          {"dataset.window_size", "1"},
                                          {"dataset.split_fraction_test", "0.2"},
                                          {"dataset.split_seed", "42"},
                                          {"dataset.inference_batch_size", "1"},
                                          {"automl.type", "AutoPyTorchML"},
                                          {"automl.output_directory", "./automl"},
                                          {"automl.time_limit", "2"},
                                          {"automl.use_models", "[PyTorchAnomalyDetectionVAE]"},
                                          {"automl.n_best_models", "2"},
                                          {"automl.optimize_metric", "f1"},
                                          {"automl.budget_type", "epochs"},
                                          {"automl.min_budget", "1"},
                                          {"automl.max_budget", "4"},
                                          {"automl.skip_model_size_check", "true"},
                                          {"automl.seed", "42"},
                                          {"optimizers.type", "ONNXCompiler"},
                                          {"optimizers.compiled_model_path", "./automl/model.onnx"},
                                          {"optimizers.model_framework", "torch"},
                                          {"runtime.type", "ONNXRuntime"},
                                          {"runtime.save_model_path", "./automl/model.onnx"}})
    EXPECT_THAT(said, Contains(Pair(key, value)));
  EXPECT_EQ(said.size(), 25U);
}

TEST(KenningScenario, SaysWhatIsOutOfRange) {
  EXPECT_TRUE(validate({}).empty());
  EXPECT_EQ(validate({.minutes = 0}).front().key, "minutes");
  EXPECT_EQ(validate({.minutes = 1441}).front().key, "minutes");
  EXPECT_EQ(validate({.models_max = 0}).front().key, "models_max");
  EXPECT_EQ(validate({.epochs_min = 6}).front().key, "epochs_min");
  EXPECT_EQ(validate({.epochs_max = 1001}).front().key, "epochs_max");
}

RC_GTEST_PROP(KenningScenario, EveryValidOneIsWrittenWhole, (std::uint32_t seed)) {
  Scenario scenario;
  scenario.minutes = *rc::gen::inRange<std::uint32_t>(0, 2000);
  scenario.models_max = *rc::gen::inRange<std::uint32_t>(0, 30);
  scenario.epochs_min = *rc::gen::inRange<std::uint32_t>(0, 1200);
  scenario.epochs_max = *rc::gen::inRange<std::uint32_t>(0, 1200);
  scenario.seed = seed;
  if (!validate(scenario).empty()) return;
  auto said = read(yaml_of(scenario));
  RC_ASSERT(said.size() == 25U);
  RC_ASSERT(said["automl.time_limit"] == std::to_string(scenario.minutes));
  RC_ASSERT(said["automl.n_best_models"] == std::to_string(scenario.models_max));
  RC_ASSERT(said["automl.min_budget"] == std::to_string(scenario.epochs_min));
  RC_ASSERT(said["automl.max_budget"] == std::to_string(scenario.epochs_max));
  RC_ASSERT(said["automl.seed"] == std::to_string(seed));
}

}  // namespace
}  // namespace liminal::kenning
