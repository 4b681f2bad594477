#include "server/training/asked.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/base/random.hpp"

namespace liminal::training {
namespace {

using Steady = std::chrono::steady_clock;

std::vector<float> scores_of(const std::vector<models::Prediction>& said) {
  std::vector<float> found;
  found.reserve(said.size());
  for (const models::Prediction& prediction : said)
    found.push_back(static_cast<float>(prediction.score));
  return found;
}

/// `ask` gives a number for a row.
template <class Ask>
double fastest_us(const learn::Table& table, Ask ask) {
  const std::size_t rows = std::min<std::size_t>(table.rows(), 50);
  std::vector<double> rounds;
  double sum = 0;
  for (int round = 0; round < 100; ++round) {
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < rows; ++i) sum += ask(table.row(i));
    rounds.push_back(std::chrono::duration<double, std::micro>(Steady::now() - begun).count() /
                     static_cast<double>(rows));
  }
  // The fastest: others were disturbed. The sum keeps the work from being left out.
  const double least = *std::min_element(rounds.begin(), rounds.end());
  return std::isnan(sum) ? least + 0 : least;
}

template <class Model>
Losses losses(const Model& model,
              const learn::Table& table,
              const learn::Measure& measure,
              std::uint64_t seed) {
  Losses found;
  const std::vector<float> said = scores(model, table);
  if (said.empty()) return found;
  const double whole = measure(said, table.labels);
  Random random(seed);
  const std::size_t width = table.features.size();
  for (std::size_t f = 0; f < width; ++f) {
    learn::Table shuffled = table;
    for (std::size_t i = table.rows() - 1; i > 0; --i)
      std::swap(shuffled.values[i * width + f], shuffled.values[random.below(i + 1) * width + f]);
    const std::vector<float> without = scores(model, shuffled);
    if (!without.empty())
      found.emplace_back(table.features[f].name, whole - measure(without, table.labels));
  }
  return found;
}

}  // namespace

std::vector<float> scores(const models::Evaluator& evaluator, const learn::Table& table) {
  std::vector<models::Prediction> said(table.rows());
  evaluator.predict_batch(table.values, said);
  return scores_of(said);
}

std::vector<float> scores(const models::Scorer& scorer, const learn::Table& table) {
  std::vector<models::Prediction> said(table.rows());
  if (!scorer.predict(table.values, said)) return {};
  return scores_of(said);
}

double latency_us(const models::Evaluator& evaluator, const learn::Table& table) {
  return fastest_us(table,
                    [&](std::span<const float> row) { return evaluator.predict(row).margin; });
}

double latency_us(const models::Scorer& scorer, const learn::Table& table) {
  return fastest_us(table, [&](std::span<const float> row) {
    models::Prediction said;
    (void)scorer.predict(row, {&said, 1});
    return said.score;
  });
}

Losses shuffle_losses(const models::Evaluator& evaluator,
                      const learn::Table& table,
                      const learn::Measure& measure,
                      std::uint64_t seed) {
  return losses(evaluator, table, measure, seed);
}

Losses shuffle_losses(const models::Scorer& scorer,
                      const learn::Table& table,
                      const learn::Measure& measure,
                      std::uint64_t seed) {
  return losses(scorer, table, measure, seed);
}

Decisions decisions_of(std::span<const float> scores, std::span<const float> labels) {
  double flagged = 0, right = 0, positives = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool flag = scores[i] >= .5F, positive = learn::is_positive(labels[i]);
    flagged += flag ? 1 : 0;
    positives += positive ? 1 : 0;
    right += flag && positive ? 1 : 0;
  }
  return {right / flagged, right / positives, 2 * right / (flagged + positives)};
}

}  // namespace liminal::training
