#include "core/learn/calibrate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/dense.hpp"
#include "core/stats/cholesky.hpp"

namespace liminal::learn {
namespace {

/// log(1 + e^x) without overflow.
double softplus(double x) { return std::max(x, 0.) + log1p(exp(-std::abs(x))); }

/// A logistic regression of up to three columns on soft targets, by Newton's method with halving.
template <std::size_t N>
class SmallLogistic {
 public:
  using Row = std::array<double, N>;

  SmallLogistic(std::vector<Row> rows, std::vector<double> targets)
      : rows_(std::move(rows)), targets_(std::move(targets)) {}

  [[nodiscard]] Row fit(Row start) const {
    Row w = start;
    double loss = loss_of(w);
    for (int iteration = 0; iteration < 50; ++iteration) {
      Row step{};
      if (!newton(w, step)) break;
      double length = 1;
      Row next = w;
      double next_loss = loss;
      for (; length > 1e-6; length /= 2) {
        for (std::size_t k = 0; k < N; ++k) next[k] = w[k] + length * step[k];
        next_loss = loss_of(next);
        if (next_loss < loss) break;
      }
      if (!(next_loss < loss - 1e-12 * std::abs(loss))) break;
      w = next;
      loss = next_loss;
    }
    return w;
  }

 private:
  static double dot(const Row& w, const Row& x) {
    double sum = 0;
    for (std::size_t k = 0; k < N; ++k) sum += w[k] * x[k];
    return sum;
  }

  [[nodiscard]] double loss_of(const Row& w) const {
    double sum = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const double m = dot(w, rows_[i]);
      sum += softplus(m) - targets_[i] * m;
    }
    return sum;
  }

  bool newton(const Row& w, Row& step) const {
    std::array<double, N*(N + 1) / 2> hessian{};
    for (std::size_t k = 0; k < N; ++k) hessian[stats::triangle_row(k) + k] = 1e-9;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const double p = models::logistic(dot(w, rows_[i]));
      for (std::size_t k = 0; k < N; ++k) {
        step[k] += (targets_[i] - p) * rows_[i][k];
        for (std::size_t j = 0; j <= k; ++j)
          hessian[stats::triangle_row(k) + j] += p * (1 - p) * rows_[i][k] * rows_[i][j];
      }
    }
    return stats::solve_positive(hessian, step);
  }

  std::vector<Row> rows_;
  std::vector<double> targets_;
};

/// Platt's targets: a little inside of 0 and 1.
std::vector<double> soft_targets(std::span<const float> labels) {
  const auto positive = static_cast<double>(positives(labels));
  const double negative = static_cast<double>(labels.size()) - positive;
  std::vector<double> targets;
  for (const float label : labels)
    targets.push_back(is_positive(label) ? (positive + 1) / (positive + 2) : 1 / (negative + 2));
  return targets;
}

/// The log-odds of (n₊ + 1)/(n + 2).
double prior_log_odds(std::span<const float> labels) {
  const auto positive = static_cast<double>(positives(labels));
  return log((positive + 1) / (static_cast<double>(labels.size()) - positive + 1));
}

bool one_class(std::span<const float> labels) {
  const std::size_t positive = positives(labels);
  return positive == 0 || positive == labels.size();
}

}  // namespace

double Platt::probability(double margin) const {
  return models::logistic(slope * margin + intercept);
}

Platt fit_platt(std::span<const float> margins, std::span<const float> labels) {
  LIMINAL_CHECK(margins.size() == labels.size());
  const double prior = prior_log_odds(labels);
  if (one_class(labels)) return {0, prior};
  std::vector<std::array<double, 2>> rows;
  for (const float margin : margins) rows.push_back({static_cast<double>(margin), 1});
  const auto w = SmallLogistic<2>(std::move(rows), soft_targets(labels)).fit({0, prior});
  return w[0] > 0 ? Platt{w[0], w[1]} : Platt{0, prior};
}

double Beta::probability(double margin) const {
  return models::logistic(-a * softplus(-margin) + b * softplus(margin) + c);
}

Beta fit_beta(std::span<const float> margins, std::span<const float> labels) {
  LIMINAL_CHECK(margins.size() == labels.size());
  const double prior = prior_log_odds(labels);
  if (one_class(labels)) return {0, 0, prior};
  std::vector<std::array<double, 3>> rows;
  for (const float margin : margins) {
    const auto m = static_cast<double>(margin);
    rows.push_back({-softplus(-m), softplus(m), 1});
  }
  const std::vector<double> targets = soft_targets(labels);
  const auto w = SmallLogistic<3>(rows, targets).fit({0, 0, prior});
  if (w[0] >= 0 && w[1] >= 0) return {w[0], w[1], w[2]};
  const std::size_t kept = w[0] < 0 ? 1 : 0;
  std::vector<std::array<double, 2>> fewer;
  for (const auto& row : rows) fewer.push_back({row[kept], 1});
  const auto v = SmallLogistic<2>(std::move(fewer), targets).fit({0, prior});
  if (v[0] < 0) return {0, 0, prior};
  return kept == 0 ? Beta{v[0], 0, v[1]} : Beta{0, v[0], v[1]};
}

double conformal_half_width(std::span<const float> said,
                            std::span<const float> is,
                            double coverage) {
  LIMINAL_CHECK(said.size() == is.size());
  std::vector<double> residuals;
  for (std::size_t i = 0; i < said.size(); ++i)
    residuals.push_back(std::abs(static_cast<double>(said[i]) - static_cast<double>(is[i])));
  std::sort(residuals.begin(), residuals.end());
  const double rank = std::ceil((static_cast<double>(residuals.size()) + 1) * coverage);
  if (!(rank <= static_cast<double>(residuals.size()))) {
    return std::numeric_limits<double>::infinity();
  }
  return residuals[static_cast<std::size_t>(std::max(rank, 1.)) - 1];
}

}  // namespace liminal::learn
