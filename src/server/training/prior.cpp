#include "server/training/prior.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/evaluator.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {
namespace {

/// Of log odds, to be measured on rows: what a share of a half becomes .0025 by.
constexpr double kShiftMax = 6;

/// Rows of either kind, by number or by weight; half a row of each is there before.
struct Odds {
  double positive = .5, negative = .5;

  void add(float label, double weight) {
    (learn::is_positive(label) ? positive : negative) += weight;
  }
  [[nodiscard]] double logarithm() const { return log(positive / negative); }
  [[nodiscard]] double share() const { return positive / (positive + negative); }
};

double log_odds(std::span<const float> labels) {
  Odds odds;
  for (const float label : labels) odds.add(label, 1);
  return odds.logarithm();
}

Odds odds_of(const learn::Table& table, const std::vector<std::uint32_t>& rows) {
  Odds odds;
  for (const std::uint32_t row : rows) odds.add(table.labels[row], 1);
  return odds;
}

void add_by_weight(const learn::Table& table, Odds& odds) {
  for (std::size_t row = 0; row < table.rows(); ++row)
    odds.add(table.labels[row], static_cast<double>(table.weight(row)));
}

/// What the weights of the rows make of a model's margins when it is fitted to all of them, not to
/// those of the search.
double moved_by_refit(const PriorRows& rows) {
  Odds before, after;
  add_by_weight(rows.searched, before);
  add_by_weight(rows.all, after);
  add_by_weight(rows.injected, after);
  return after.logarithm() - before.logarithm();
}

}  // namespace

std::optional<double> shift_to(std::span<const double> margins, double share) {
  if (margins.empty() || !std::all_of(margins.begin(), margins.end(), [](double margin) {
        return std::isfinite(margin);
      }))
    return std::nullopt;
  const double positive = share * static_cast<double>(margins.size());
  double low = -kShiftMax, high = kShiftMax;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    double sum = 0;
    for (const double margin : margins) sum += 1 / (1 + exp(-margin - middle));
    (sum < positive ? low : high) = middle;
  }
  return (low + high) / 2;
}

void add_to_margin(models::Predictor& predictor, double shift) {
  if (auto* trees = std::get_if<models::Trees>(&predictor)) {
    trees->base += static_cast<float>(shift);
  } else if (auto* blend = std::get_if<models::Blend>(&predictor)) {
    blend->intercept += static_cast<float>(shift);
  }
}

void shift_prior(const PriorRows& rows, learn::Trained& trained) {
  const Odds between = odds_of(rows.all, rows.held_out.between);
  const bool known = between.positive > kPositivesToShift;  // half a row is there before
  const Odds wanted = known ? between : odds_of(rows.all, rows.held_out.train);
  const double prior = wanted.logarithm() - log_odds(rows.calibrated);
  trained.recipes.intercept += prior;
  if (known) trained.recipes.intercept -= trained.recipes.slope * moved_by_refit(rows);
  std::optional<double> measured;
  if (known && rows.margins.size() == rows.held_out.between.size())
    measured = shift_to(rows.margins, between.share());
  add_to_margin(trained.predictor, measured.value_or(prior));
}

std::vector<double> margins_of(const models::Predictor& predictor,
                               const learn::Table& table,
                               std::span<const std::uint32_t> rows) {
  models::Model model;
  model.metadata.task = models::Task::kClassification;
  describe(table, model.metadata);
  model.predictor = predictor;
  const auto evaluator = models::Evaluator::create(model);
  std::vector<double> margins;
  if (!evaluator) return margins;
  for (const std::uint32_t row : rows) margins.push_back(evaluator->predict(table.row(row)).margin);
  return margins;
}

}  // namespace liminal::training
