#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <variant>

#include "app/train/train.hpp"
#include "io/onnx/write.hpp"

namespace liminal::app {
namespace {

constexpr std::size_t kShown = 5;  ///< rows and features that are told

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

void tell_judged(const training::JudgedAnomalies& judged, std::FILE* out) {
  fmt::print(out, "judged on {} rows ({})", judged.held_out.test.size(), judged.held_out.how);
  for (const auto& [name, value] : judged.figures) fmt::print(out, ", {} {:.4f}", name, value);
  fmt::print(out, "\n");
}

void tell_clusters(const learn::Clustering& found, std::FILE* out) {
  if (!found.found) fmt::print(out, "nothing hangs together: all rows are one cluster\n");
  for (std::size_t c = 0; c < found.clusters.size(); ++c) {
    const learn::Cluster& cluster = found.clusters[c];
    fmt::print(out, "cluster {}: {} rows, {}\n", c, cluster.rows, cluster.words);
  }
}

}  // namespace

ExitCode run_unsupervised(const TrainArguments& arguments,
                          const training::TableWish& wish,
                          const training::CsvTable& read,
                          std::FILE* out,
                          std::FILE* complaints) {
  const auto fail = [&](const std::string& why) {
    fmt::print(complaints, "liminal: {}\n", why);
    return ExitCode::kFailed;
  };
  const auto trained = training::train_unsupervised(read.table, wish);
  if (!trained) return fail(arguments.file + ": " + trained.error());
  fmt::print(out, "{} rows\n", read.table.rows());
  if (trained->judged) tell_judged(*trained->judged, out);
  if (const auto* anomalies = std::get_if<learn::AnomalyModel>(&trained->found)) {
    tell_anomalies(read.table, *anomalies, out);
  } else {
    tell_clusters(std::get<learn::Clustering>(trained->found), out);
  }
  if (arguments.out.empty()) return ExitCode::kDone;
  const auto bytes = onnx::write(trained->model);
  if (!bytes) return fail(arguments.out + ": " + bytes.error().text);
  std::ofstream file(arguments.out, std::ios::binary);
  file << *bytes;
  file.close();
  if (!file) return fail(arguments.out + ": cannot be written");
  fmt::print(out, "model {}\n", arguments.out);
  return ExitCode::kDone;
}

}  // namespace liminal::app
