#include "core/learn/linear.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/dense.hpp"
#include "core/stats/cholesky.hpp"

namespace liminal::learn {
namespace {

using stats::triangle_row;

constexpr int kStepsMax = 40;
constexpr std::size_t kRowsPerPoll = 4096;

/// What a row adds to the normal equations: its curvature and the slope against its margin.
struct Pull {
  double curvature = 0, slope = 0;
};

class Newton {
 public:
  Newton(const Matrix& x,
         std::span<const float> labels,
         std::span<const float> weights,
         const Loss& loss,
         double l2)
      : x_(x), labels_(labels), weights_(weights), loss_(loss), l2_(l2), w_(x.columns + 1) {
    scale_ = spread();
    w_.back() = start();
  }

  Result<models::Linear> fit(const Stop& stop) {
    if (x_.columns > models::kColumnsMax) return failure(ErrorCode::kOutOfRange);
    for (int step = 0; step < kStepsMax; ++step) {
      const std::vector<double> before = w_;
      const auto moved = this->step(stop);
      if (stopped_) {
        if (step == 0) return failure(ErrorCode::kUnavailable);
        w_ = before;
        break;
      }
      if (!moved) return tl::unexpected(moved.error());
      if (!(*moved > 1e-7) || loss_.kind == Loss::Kind::kSquared) break;
    }
    models::Linear model;
    for (std::size_t k = 0; k < x_.columns; ++k) model.weights.push_back(static_cast<float>(w_[k]));
    model.intercept = static_cast<float>(w_.back());
    model.link = loss_.classes() ? models::Link::kLogistic : models::Link::kIdentity;
    const auto finite = [](float value) { return std::isfinite(value); };
    if (!finite(model.intercept) ||
        !std::all_of(model.weights.begin(), model.weights.end(), finite))
      return failure(ErrorCode::kOutOfRange);
    return model;
  }

 private:
  [[nodiscard]] double weight(std::size_t row) const {
    return weights_.empty() ? 1 : static_cast<double>(weights_[row]);
  }

  /// Mean label, or its log-odds.
  [[nodiscard]] double start() const {
    double sum = 0, all = 0;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      sum += weight(i) * static_cast<double>(labels_[i]);
      all += weight(i);
    }
    if (!loss_.classes()) return all > 0 ? sum / all : 0;
    return log((sum + .5) / (all - sum + .5));
  }

  /// Mean distance of the labels from their mean: the pinball loss is smoothed within a small part
  /// of it.
  [[nodiscard]] double spread() const {
    double mean = 0, sum = 0;
    const auto n = static_cast<double>(std::max<std::size_t>(labels_.size(), 1));
    for (const float label : labels_) mean += static_cast<double>(label) / n;
    for (const float label : labels_) sum += std::abs(static_cast<double>(label) - mean) / n;
    return sum;
  }

  [[nodiscard]] Pull pull(double margin, double label) const {
    switch (loss_.kind) {
      case Loss::Kind::kLogistic: {
        const double p = models::logistic(margin);
        return {std::max(p * (1 - p), 1e-6), label - p};
      }
      case Loss::Kind::kSquared:
        return {1, label - margin};
      case Loss::Kind::kPinball: {
        // |r| ≈ r²/(|r| + ε) + const, with the slope that the level tilts it by.
        const double r = label - margin;
        const double curvature = .5 / (std::abs(r) + .01 * scale_ + 1e-12);
        return {curvature, curvature * r + loss_.level - .5};
      }
    }
    return {};
  }

  [[nodiscard]] double margin(std::size_t row) const {
    const auto x = x_.row(row);
    double sum = w_.back();
    for (std::size_t k = 0; k < x.size(); ++k) sum += w_[k] * static_cast<double>(x[k]);
    return sum;
  }

  /// Asks every so many rows; once is for good.
  bool stopped(std::size_t row, const Stop& stop) {
    if (row % kRowsPerPoll == 0) stopped_ = stopped_ || stop();
    return stopped_;
  }

  [[nodiscard]] double objective(const Stop& stop) {
    double sum = 0;
    for (std::size_t k = 0; k < x_.columns; ++k) sum += .5 * l2_ * w_[k] * w_[k];
    for (std::size_t i = 0; i < x_.rows && !stopped(i, stop); ++i) {
      const double m = margin(i), y = static_cast<double>(labels_[i]), r = y - m;
      switch (loss_.kind) {
        case Loss::Kind::kLogistic:
          sum += weight(i) * (std::max(m, 0.) - m * y + log1p(exp(-std::abs(m))));
          break;
        case Loss::Kind::kSquared:
          sum += weight(i) * .5 * r * r;
          break;
        case Loss::Kind::kPinball:
          sum += weight(i) * (r > 0 ? loss_.level * r : (loss_.level - 1) * r);
          break;
      }
    }
    return sum;
  }

  /// One Newton step; how far it moved, in parts of 1 + |w|.
  Result<double> step(const Stop& stop) {
    const std::size_t d = w_.size();
    std::vector<double> lower(triangle_row(d)), b(d);
    accumulate(lower, b, stop);
    if (stopped_) return 0;
    for (std::size_t k = 0; k + 1 < d; ++k) {
      lower[triangle_row(k) + k] += l2_;
      b[k] -= l2_ * w_[k];
    }
    lower[triangle_row(d - 1) + d - 1] += 1e-9;
    if (!stats::solve_positive(lower, b, 1e-12)) return failure(ErrorCode::kOutOfRange);
    // Newton's method for the logistic loss may step too far where its curvature is small.
    const double before = loss_.classes() ? objective(stop) : 0;
    const std::vector<double> old = w_;
    double length = 1, moved = 0;
    for (int halvings = 0; halvings < 20; ++halvings, length /= 2) {
      moved = 0;
      for (std::size_t k = 0; k < d; ++k) {
        w_[k] = old[k] + length * b[k];
        moved = std::max(moved, std::abs(length * b[k]) / (1 + std::abs(old[k])));
      }
      if (!loss_.classes() || objective(stop) <= before || stopped_) break;
    }
    return moved;
  }

  void accumulate(std::vector<double>& lower, std::vector<double>& b, const Stop& stop) {
    const std::size_t last = w_.size() - 1;
    std::vector<std::size_t> used;
    std::vector<double> value;
    for (std::size_t i = 0; i < x_.rows && !stopped(i, stop); ++i) {
      Pull pull = this->pull(margin(i), static_cast<double>(labels_[i]));
      pull.curvature *= weight(i);
      pull.slope *= weight(i);
      const auto x = x_.row(i);
      used.clear();
      value.clear();
      for (std::size_t k = 0; k < x.size(); ++k) {
        if (x[k] == 0) continue;
        used.push_back(k);
        value.push_back(static_cast<double>(x[k]));
      }
      used.push_back(last);
      value.push_back(1);
      for (std::size_t a = 0; a < used.size(); ++a) {
        const double factor = pull.curvature * value[a];
        double* const row = lower.data() + triangle_row(used[a]);
        for (std::size_t c = 0; c <= a; ++c) row[used[c]] += factor * value[c];
        b[used[a]] += pull.slope * value[a];
      }
    }
  }

  const Matrix& x_;
  std::span<const float> labels_, weights_;
  const Loss& loss_;
  double l2_;
  double scale_ = 1;
  bool stopped_ = false;
  std::vector<double> w_;  ///< the intercept is last
};

}  // namespace

Result<models::Linear> fit_linear(const Matrix& x,
                                  std::span<const float> labels,
                                  std::span<const float> weights,
                                  const Loss& loss,
                                  const LinearRecipe& recipe,
                                  const Stop& stop) {
  LIMINAL_CHECK(labels.size() == x.rows && (weights.empty() || weights.size() == x.rows));
  return Newton(x, labels, weights, loss, recipe.l2).fit(stop);
}

double linear_sum(const models::Linear& model, std::span<const float> row) {
  return static_cast<double>(model.intercept) + models::dot(model.weights, row);
}

}  // namespace liminal::learn
