#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"

namespace liminal::kenning {

/// What Kenning is asked for.
struct Scenario {
  std::uint32_t minutes = 2;     ///< of its search, 1–1440
  std::uint32_t models_max = 5;  ///< it brings at most so many, 1–20, and may bring fewer
  std::uint32_t epochs_min = 1;  ///< of a candidate; those that do well go on
  std::uint32_t epochs_max = 5;  ///< at most 1000
  std::uint32_t seed = 1;
};

[[nodiscard]] Problems validate(const Scenario& scenario);

// The files of a job, by their names in its folder, which is Kenning's working directory.
inline constexpr std::string_view kRowsFile = "rows.csv";
inline constexpr std::string_view kScenarioFile = "scenario.yml";
inline constexpr std::string_view kPlatformsFile = "platforms.yml";
inline constexpr std::string_view kDataFolder = "data";  ///< Kenning deletes it when it likes
inline constexpr std::string_view kResultsFolder = "automl";
inline constexpr std::string_view kStatisticsFile = "automl_statistics.json";  ///< of the results

/// The name of a model among the results.
[[nodiscard]] std::string model_file(std::uint32_t number);

/// A valid scenario as Kenning 0.8 reads it. All paths are relative, and nothing in it comes from
/// outside. The platforms' definitions are given (an empty file), else it looks for them elsewhere.
///
/// Why the network of one kind: it is what Kenning's AutoPyTorchML says it supports; its
/// convolutional one, tried too, never came to an end and takes half of the time. Why f1: of a
/// metric that Kenning does not know it searches without end.
[[nodiscard]] std::string yaml_of(const Scenario& scenario);

}  // namespace liminal::kenning
