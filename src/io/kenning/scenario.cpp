#include "io/kenning/scenario.hpp"

#include <fmt/format.h>

#include "core/base/check.hpp"

namespace liminal::kenning {
namespace {

void check_range(std::uint32_t value,
                 std::uint32_t low,
                 std::uint32_t high,
                 const char* key,
                 Problems& problems) {
  if (value < low || value > high)
    problems.push_back({key, fmt::format("must be {} to {}", low, high)});
}

}  // namespace

Problems validate(const Scenario& scenario) {
  Problems problems;
  check_range(scenario.minutes, 1, 1440, "minutes", problems);
  check_range(scenario.models_max, 1, 20, "models_max", problems);
  check_range(scenario.epochs_max, 1, 1000, "epochs_max", problems);
  check_range(scenario.epochs_min, 1, scenario.epochs_max, "epochs_min", problems);
  return problems;
}

std::string model_file(std::uint32_t number) { return fmt::format("model.{}.onnx", number); }

std::string yaml_of(const Scenario& scenario) {
  LIMINAL_CHECK(validate(scenario).empty());
  return fmt::format(
      R"(platform:
  type: LocalPlatform
  parameters:
    platforms_definitions: [./{platforms}]
dataset:
  type: AnomalyDetectionDataset
  parameters:
    dataset_root: ./{data}
    csv_file: ./{rows}
    window_size: 1
    split_fraction_test: 0.2
    split_seed: {seed}
    inference_batch_size: 1
automl:
  type: AutoPyTorchML
  parameters:
    output_directory: ./{results}
    time_limit: {minutes}
    use_models: [PyTorchAnomalyDetectionVAE]
    n_best_models: {models}
    optimize_metric: f1
    budget_type: epochs
    min_budget: {epochs_min}
    max_budget: {epochs_max}
    skip_model_size_check: true
    seed: {seed}
optimizers:
- type: ONNXCompiler
  parameters:
    compiled_model_path: ./{results}/model.onnx
    model_framework: torch
runtime:
  type: ONNXRuntime
  parameters:
    save_model_path: ./{results}/model.onnx
)",
      fmt::arg("platforms", kPlatformsFile),
      fmt::arg("data", kDataFolder),
      fmt::arg("rows", kRowsFile),
      fmt::arg("results", kResultsFolder),
      fmt::arg("seed", scenario.seed),
      fmt::arg("minutes", scenario.minutes),
      fmt::arg("models", scenario.models_max),
      fmt::arg("epochs_min", scenario.epochs_min),
      fmt::arg("epochs_max", scenario.epochs_max));
}

}  // namespace liminal::kenning
