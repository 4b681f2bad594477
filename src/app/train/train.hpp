#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "app/command.hpp"
#include "server/training/csv_table.hpp"

namespace liminal::app {

struct TrainArguments {
  std::string file;
  training::CsvChoice choice;
  std::string task = "auto";       ///< auto, classification, regression, anomaly or clustering
  std::string objective = "auto";  ///< roc-auc, pr-auc or log-loss; of values squared or absolute
  double alert_ratio = .01;        ///< of the rows that are anomalies
  double quantile = 0;             ///< of values: which quantile to foretell; 0: the mean
  double time_budget_s = 60;
  std::uint32_t fits_max = 0;
  std::uint64_t seed = 1;
  std::uint32_t workers = 2;
  double latency_us = 5;
  double size_mib = 8;
  std::string out;
  std::string report;
  std::string json;
  std::string last;
  bool quiet = false;
};

/// Runs `liminal train`: a summary to `out`, progress and complaints to `complaints`.
[[nodiscard]] ExitCode run_train(const TrainArguments& arguments,
                                 std::FILE* out,
                                 std::FILE* complaints);

/// The same without a target: anomalies or clusters, of a table that was read.
[[nodiscard]] ExitCode run_unsupervised(const TrainArguments& arguments,
                                        const training::CsvTable& read,
                                        std::FILE* out,
                                        std::FILE* complaints);

struct PredictArguments {
  std::string model;
  std::string file;
};

/// Runs `liminal predict`: one CSV line a row to `out`.
[[nodiscard]] ExitCode run_predict(const PredictArguments& arguments,
                                   std::FILE* out,
                                   std::FILE* complaints);

}  // namespace liminal::app
