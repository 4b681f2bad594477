// Rows scored by how strange they are, without labels; README.md has the method.
#include "core/learn/anomalies.hpp"

#include <fmt/core.h>

#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include "core/learn/outcome.hpp"
#include "server/training/csv_table.hpp"

namespace {

void print(std::string_view who, const std::vector<double>& scores) {
  fmt::print("{}", who);
  for (const double score : scores) fmt::print(",{:.9g}", score);
  fmt::print("\n");
}

}  // namespace

int main(int count, char** arguments) {
  using namespace liminal;
  if (count < 3) {
    fmt::print(stderr, "usage: bench_anomalies FILE.csv SEED, whose last column is label\n");
    return 2;
  }
  std::ifstream in(arguments[1], std::ios::binary);
  const auto read = training::read_csv_table(in, arguments[1], {.ignored = {"label"}});
  if (!read) {
    fmt::print(stderr, "{}\n", read.error());
    return 1;
  }
  const auto seed = std::strtoull(arguments[2], nullptr, 10);
  const learn::AnomalyModel found =
      learn::find_anomalies(read->table, learn::kAlertRatio, seed, [] { return false; });
  print("liminal", {found.scores.begin(), found.scores.end()});
  std::vector<double> sums;
  for (std::size_t i = 0; i < read->table.rows(); ++i)
    sums.push_back(found.distance.sum(read->table.row(i)));
  print("liminal sum of log(1 + z²)", sums);
}
