// How far the mean probability of what answers is off on later rows (README.md).
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/learn/metrics.hpp"
#include "core/models/evaluator.hpp"
#include "server/training/asked.hpp"
#include "server/training/builtin.hpp"
#include "server/training/cross_fit.hpp"
#include "server/training/prior.hpp"

namespace {

using namespace liminal;

/// What `run --keep` wrote of one seed.
std::optional<training::Rows> rows_of(const std::string& folder, const std::string& name) {
  auto rows = training::read_rows(learn::first_models().front(), folder + "/" + name + ".csv");
  if (rows) return std::move(*rows);
  fmt::print(stderr, "{}\n", rows.error());
  return std::nullopt;
}

/// How far a model's mean is off on rows, in parts of how often they are positive.
double off(const models::Model& model, const learn::Table& rows) {
  const auto evaluator = models::Evaluator::create(model);
  double said = 0;
  for (const float p : training::scores(*evaluator, rows)) said += double{p};
  return said / static_cast<double>(learn::positives(rows.labels)) - 1;
}

using Found = std::map<std::string, std::vector<double>>;

/// Trains on a folder's learnt rows and asks of the later ones.
bool run(const std::string& folder, std::uint64_t seed, std::uint32_t fits, Found& found) {
  auto learnt = rows_of(folder, "learnt");
  if (!learnt) return false;
  training::BuiltinOptions options;
  options.definition = learn::first_models().front();
  options.request.model = options.definition.name;
  options.request.source = learn::DataSource::kFile;
  options.request.fits_max = fits;
  options.request.seed = seed;
  const training::Telling nobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};
  const auto made = training::train_builtin(std::move(*learnt), options, nobody);
  if (!made) {
    fmt::print(stderr, "{}: {}\n", folder, made.error().text);
    return false;
  }
  models::Model formula = made->model;
  training::add_to_margin(formula.predictor, -training::cross_fit_shift(made->model.metadata));
  for (const char* const name : {"other_chat", "next_hour"}) {
    const auto later = rows_of(folder, name);
    if (!later) return false;
    const std::pair<const char*, const models::Model*> asked[] = {
        {"judged", &*made->judged}, {"served, by the odds", &formula}, {"served", &made->model}};
    fmt::print("{} seed {} {}:", folder, seed, name);
    for (const auto& [which, model] : asked) {
      const double far = off(*model, later->table);
      found[fmt::format("{}, {}", name, which)].push_back(far);
      fmt::print(" {} {:+.2f}", which, far);
    }
    fmt::print("\n");
  }
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    fmt::print(stderr, "usage: bench_first_models SEEDS FOLDER...\n");
    return 2;
  }
  Found found;
  for (int folder = 2; folder < count; ++folder)
    for (std::uint64_t seed = 1; seed <= std::strtoull(arguments[1], nullptr, 10); ++seed)
      if (!run(arguments[folder], seed, 12, found)) return 1;
  for (auto& [name, values] : found) {
    std::sort(values.begin(), values.end());
    double mean = 0, size = 0;
    for (const double value : values) {
      mean += value / static_cast<double>(values.size());
      size += std::abs(value) / static_cast<double>(values.size());
    }
    fmt::print("{:<32} {} trainings: median {:+.2f}, mean {:+.2f}, size {:.2f}\n",
               name,
               values.size(),
               values[values.size() / 2],
               mean,
               size);
  }
}
