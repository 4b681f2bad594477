#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "app/train/train.hpp"
#include "core/learn/anomalies.hpp"
#include "core/learn/clusters.hpp"
#include "io/onnx/write.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::app {
namespace {

constexpr std::size_t kRowsMin = 20;
constexpr std::size_t kShown = 5;  ///< rows and features that are told

bool never() { return false; }

/// The strangest rows, each with the features that make it so.
void tell_anomalies(const learn::Table& table, const learn::AnomalyModel& found, std::FILE* out) {
  std::vector<std::size_t> order(found.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t shown = std::min(order.size(), kShown);
  std::partial_sort(order.begin(),
                    order.begin() + static_cast<std::ptrdiff_t>(shown),
                    order.end(),
                    [&](auto a, auto b) { return found.scores[a] > found.scores[b]; });
  fmt::print(out, "alarm from a score of {:.4f}\n", found.line);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto terms = found.distance.terms(table.row(order[i]));
    const auto most =
        static_cast<std::size_t>(std::max_element(terms.begin(), terms.end()) - terms.begin());
    fmt::print(out,
               "row {}: score {:.4f}, {} is strangest\n",
               order[i] + 1,
               found.scores[order[i]],
               table.features[most].name);
  }
}

void tell_clusters(const learn::Clustering& found, models::Metadata& metadata, std::FILE* out) {
  if (!found.found) fmt::print(out, "nothing hangs together: all rows are one cluster\n");
  for (std::size_t c = 0; c < found.clusters.size(); ++c) {
    const learn::Cluster& cluster = found.clusters[c];
    fmt::print(out, "cluster {}: {} rows, {}\n", c, cluster.rows, cluster.words);
    metadata.facts.emplace_back(fmt::format("cluster.{}", c), cluster.words);
  }
}

}  // namespace

ExitCode run_unsupervised(const TrainArguments& arguments,
                          const training::CsvTable& read,
                          std::FILE* out,
                          std::FILE* complaints) {
  const auto fail = [&](const std::string& why) {
    fmt::print(complaints, "liminal: {}\n", why);
    return ExitCode::kFailed;
  };
  const learn::Table& table = read.table;
  if (const Problems problems = table.validate(false, false); !problems.empty())
    return fail(fmt::format("{}: {} {}", arguments.file, problems[0].key, problems[0].text));
  if (table.rows() < kRowsMin)
    return fail(fmt::format("{}: too few rows: {} are needed", arguments.file, kRowsMin));
  models::Model model;
  models::Metadata& metadata = model.metadata;
  metadata.name = std::filesystem::path(arguments.file).stem().string();
  metadata.trainer = "builtin";
  training::describe(table, metadata);
  metadata.facts.emplace_back("rows", std::to_string(table.rows()));
  metadata.facts.emplace_back("seed", std::to_string(arguments.seed));
  fmt::print(out, "{} rows\n", table.rows());
  if (arguments.task == "anomaly") {
    metadata.task = models::Task::kAnomaly;
    learn::AnomalyModel found =
        learn::find_anomalies(table, arguments.alert_ratio, arguments.seed, never);
    metadata.line = found.line;
    tell_anomalies(table, found, out);
    model.predictor = std::move(found.forest);
  } else {
    metadata.task = models::Task::kClustering;
    learn::ClusterOptions options;
    options.seed = arguments.seed;
    learn::Clustering found = learn::find_clusters(table, options, never);
    tell_clusters(found, metadata, out);
    model.predictor = std::move(found.model);
  }
  if (arguments.out.empty()) return ExitCode::kDone;
  if (const Problems problems = models::validate(model); !problems.empty())
    return fail(fmt::format("the model is not sound: {} {}", problems[0].key, problems[0].text));
  std::ofstream file(arguments.out, std::ios::binary);
  file << onnx::write(model);
  file.close();
  if (!file) return fail(arguments.out + ": cannot be written");
  fmt::print(out, "model {}\n", arguments.out);
  return ExitCode::kDone;
}

}  // namespace liminal::app
