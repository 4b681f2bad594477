// One table of rows whose groups are known, grouped without them; README.md has the method.
#include <fmt/core.h>
#include <sys/resource.h>

#include <fstream>
#include <vector>

#include "core/learn/clusters.hpp"
#include "core/models/evaluator.hpp"
#include "server/training/csv_table.hpp"

namespace {

using namespace liminal;

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec) +
         1e-6 * static_cast<double>(use.ru_utime.tv_usec);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    fmt::print(stderr, "usage: bench_clustering FILE.csv, whose last column is group\n");
    return 2;
  }
  std::ifstream in(arguments[1], std::ios::binary);
  const auto read = training::read_csv_table(in, arguments[1], {.ignored = {"group"}});
  if (!read) {
    fmt::print(stderr, "{}\n", read.error());
    return 1;
  }
  const double begun = cpu_seconds();
  const learn::Clustering found = learn::find_clusters(read->table, {}, [] { return false; });
  const double took = cpu_seconds() - begun;
  models::Model model;
  model.metadata.name = "bench";
  model.metadata.task = models::Task::kClustering;
  for (const learn::Feature& feature : read->table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = found.model;
  const auto evaluator = models::Evaluator::create(model);
  if (!evaluator) {
    fmt::print(stderr, "{} {}\n", evaluator.error()[0].key, evaluator.error()[0].text);
    return 1;
  }
  fmt::print("liminal,{:.3f}", took);
  for (std::size_t i = 0; i < read->table.rows(); ++i)
    fmt::print(",{}", evaluator->predict(read->table.row(i)).cluster);
  fmt::print("\n");
}
