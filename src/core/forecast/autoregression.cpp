#include "core/forecast/autoregression.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/forecast/products.hpp"
#include "core/stats/cholesky.hpp"

namespace liminal::forecast {
namespace {

/// Residuals above this many robust standard deviations count less.
constexpr double kHuberWidth = .5;
/// From the median of |r| to a standard deviation, were the residuals Gaussian.
constexpr double kMedianToDeviation = 1.4826;

}  // namespace

void Autoregression::continue_from(std::span<const double> past, std::span<double> out) const {
  const std::size_t reach = weights.empty() ? 0 : lags.back();
  LIMINAL_CHECK(past.size() >= reach);
  const double* end = past.data() + past.size();
  for (std::size_t h = 0; h < out.size(); ++h) {
    double value = intercept;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      const std::size_t lag = lags[j];
      value += weights[j] * (lag <= h ? out[h - lag] : *(end - (lag - h)));
    }
    out[h] = value;
  }
}

void Autoregression::save(Writer& out) const {
  out.put_varint(lags.size());
  for (const std::uint32_t lag : lags) out.put_varint(lag);
  out.put_varint(weights.size());
  for (const double weight : weights) out.put(weight);
  out.put(intercept);
}

void Autoregression::load(Reader& in) {
  lags.resize(static_cast<std::size_t>(std::min<std::uint64_t>(in.get_varint(), in.remaining())));
  std::uint32_t last = 0;
  for (std::uint32_t& lag : lags) {
    lag = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.get_varint(), 1U << 30));
    if (lag <= last) in.fail();
    last = lag;
  }
  const std::uint64_t count = in.get_varint();
  if (count != 0 && count != lags.size()) in.fail();
  weights.resize(in.ok() ? static_cast<std::size_t>(count) : 0);
  for (double& weight : weights) in.get(weight);
  in.get(intercept);
}

void AutoregressionFitter::fit(std::span<const double> series,
                               std::span<const double> weights,
                               double ridge,
                               int iterations,
                               Autoregression& model) {
  LIMINAL_CHECK(weights.size() == series.size() && !model.lags.empty());
  const std::size_t reach = model.lags.back();
  const std::size_t n = series.size();
  rows_ = n > reach ? n - reach : 0;

  // Centred by the plain mean first, so that the weighted products below lose no digits.
  double sum = 0;
  for (const double z : series) sum += z;
  centre_ = n == 0 ? 0 : sum / static_cast<double>(n);
  centred_.resize(n);
  for (std::size_t i = 0; i < n; ++i) centred_[i] = series[i] - centre_;

  const std::span<const double> own = weights.subspan(std::min(reach, n));
  if (std::none_of(own.begin(), own.end(), [](double w) { return w > 0; })) {
    model.weights.clear();
    model.intercept = centre_;
    return;
  }
  columns_.clear();
  for (const std::uint32_t lag : model.lags) columns_.push_back(centred_.data() + (reach - lag));
  target_ = centred_.data() + reach;
  row_weights_.assign(own.begin(), own.end());

  if (model.weights.size() == model.lags.size()) {
    // The intercept is that of the centred series while fitting.
    for (const double weight : model.weights) model.intercept += weight * centre_;
    model.intercept -= centre_;
  } else {
    solve(own, ridge, model);
  }
  for (int k = 0; k < iterations; ++k) {
    residuals(model);
    sizes_.clear();
    for (std::size_t i = 0; i < rows_; ++i) {
      if (own[i] > 0) sizes_.push_back(std::abs(residuals_[i]));
    }
    const auto middle = sizes_.begin() + static_cast<std::ptrdiff_t>(sizes_.size() / 2);
    std::nth_element(sizes_.begin(), middle, sizes_.end());
    const double width = kHuberWidth * (kMedianToDeviation * *middle + 1e-9);
    for (std::size_t i = 0; i < rows_; ++i) {
      const double size = std::abs(residuals_[i]);
      row_weights_[i] = size <= width ? own[i] : own[i] * width / size;
    }
    solve(row_weights_, ridge, model);
  }
  model.intercept += centre_;
  for (const double weight : model.weights) model.intercept -= weight * centre_;
}

void AutoregressionFitter::residuals(const Autoregression& model) {
  residuals_.assign(target_, target_ + rows_);
  for (double& r : residuals_) r -= model.intercept;
  for (std::size_t j = 0; j < columns_.size(); ++j)
    add_scaled(residuals_.data(), -model.weights[j], columns_[j], rows_);
}

void AutoregressionFitter::solve(std::span<const double> row_weights,
                                 double ridge,
                                 Autoregression& model) {
  const std::size_t p = columns_.size();
  double total = 0;
  for (const double w : row_weights) total += w;
  const double target_mean = dot(row_weights.data(), target_, rows_) / total;
  means_.resize(p);
  for (std::size_t j = 0; j < p; ++j)
    means_[j] = dot(row_weights.data(), columns_[j], rows_) / total;

  gram_.resize(stats::triangle_row(p));
  right_.resize(p);
  weighted_.resize(rows_);
  for (std::size_t j = 0; j < p; ++j) {
    multiply(weighted_.data(), row_weights.data(), columns_[j], rows_);
    right_[j] = dot(weighted_.data(), target_, rows_) - total * means_[j] * target_mean;
    for (std::size_t k = 0; k <= j; k += 4) {
      const double* four[4];
      double products[4];
      for (std::size_t m = 0; m < 4; ++m) four[m] = columns_[std::min(k + m, j)];
      dot4(weighted_.data(), four, rows_, products);
      for (std::size_t m = 0; m < 4 && k + m <= j; ++m)
        gram_[stats::triangle_row(j) + k + m] = products[m] - total * means_[j] * means_[k + m];
    }
  }
  for (std::size_t j = 0; j < p; ++j) {
    double& diagonal = gram_[stats::triangle_row(j) + j];
    diagonal += ridge * std::max(diagonal, 1e-12 * total);
  }
  // Refused only where sums leave a double's range: the mean alone is left.
  if (!stats::solve_positive(gram_, right_, 1e-14 * total))
    std::fill(right_.begin(), right_.end(), 0.);
  model.weights = right_;
  model.intercept = target_mean;
  for (std::size_t j = 0; j < p; ++j) model.intercept -= means_[j] * model.weights[j];
}

}  // namespace liminal::forecast
