#include "server/training/prior.hpp"

#include <algorithm>
#include <numeric>
#include <variant>
#include <vector>

#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::training {
namespace {

constexpr std::ptrdiff_t kPositivesMin = 20;

/// The logarithm of the odds of a positive row, by weight or by number.
double log_odds(const learn::Table& table, const std::vector<std::uint32_t>& rows, bool weighted) {
  double positive = .5, negative = .5;
  for (const std::uint32_t row : rows)
    (learn::is_positive(table.labels[row]) ? positive : negative) +=
        weighted ? static_cast<double>(table.weight(row)) : 1.;
  return log(positive / negative);
}

/// Adds to the margin of what a search makes.
void add_to_margin(models::Predictor& predictor, double shift) {
  if (auto* trees = std::get_if<models::Trees>(&predictor)) {
    trees->base += static_cast<float>(shift);
  } else if (auto* blend = std::get_if<models::Blend>(&predictor)) {
    blend->intercept += static_cast<float>(shift);
  }
}

}  // namespace

void shift_prior(const learn::Table& table, const HeldOut& held_out, learn::Trained& trained) {
  const auto& like = held_out.between;
  const auto positive = std::count_if(like.begin(), like.end(), [&](std::uint32_t row) {
    return learn::is_positive(table.labels[row]);
  });
  if (positive < kPositivesMin) return;
  std::vector<std::uint32_t> every(table.rows());
  std::iota(every.begin(), every.end(), 0U);
  const double shift = log_odds(table, like, false) - log_odds(table, held_out.train, false);
  const double moved = log_odds(table, every, true) - log_odds(table, held_out.train, true);
  add_to_margin(trained.predictor, shift);
  trained.recipes.intercept += shift - trained.recipes.slope * moved;
}

}  // namespace liminal::training
