#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "app/command.hpp"
#include "app/configuration_options.hpp"
#include "server/training/csv_table.hpp"
#include "server/training/table_run.hpp"

namespace liminal::app {

struct TrainArguments {
  std::string file;
  training::CsvChoice choice;
  training::TableWish wish;  ///< its name and target are those of the file
  std::string out;
  std::string report;
  std::string json;
  std::string last;
  bool quiet = false;
  std::string trainer = "builtin";  ///< or kenning
  std::string kenning = "kenning";  ///< its program
};

/// Runs `liminal train`: a summary to `out`, progress and complaints to `complaints`.
[[nodiscard]] ExitCode run_train(const TrainArguments& arguments,
                                 std::FILE* out,
                                 std::FILE* complaints);

/// The same without a target: anomalies or clusters, of a table that was read.
[[nodiscard]] ExitCode run_unsupervised(const TrainArguments& arguments,
                                        const training::TableWish& wish,
                                        const training::CsvTable& read,
                                        std::FILE* out,
                                        std::FILE* complaints);

/// The same by Kenning, for a target of two values.
[[nodiscard]] ExitCode run_kenning(const TrainArguments& arguments,
                                   training::CsvTable read,
                                   std::FILE* out,
                                   std::FILE* complaints);

struct PredictArguments {
  std::string model;  ///< a file; or a name, of a model of the directory that is configured
  std::string file;
  std::string onnxruntime{};  ///< empty: where it usually is
  bool by_name = false;
  std::uint32_t version = 0;  ///< by name; 0: the champion
  ConfigurationOptions configuration{};
};

/// Runs `liminal predict`: one CSV line a row to `out`.
[[nodiscard]] ExitCode run_predict(const PredictArguments& arguments,
                                   std::FILE* out,
                                   std::FILE* complaints);

}  // namespace liminal::app
