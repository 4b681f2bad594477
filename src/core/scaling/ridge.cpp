#include "core/scaling/ridge.hpp"

#include <cmath>

#include "core/base/check.hpp"
#include "core/stats/cholesky.hpp"

namespace liminal::scaling {
namespace {

using stats::triangle_row;

/// Keeps a matrix definite whose every weight has faded.
constexpr double kPenaltyMin = 1e-6;

void put(Writer& out, const std::vector<double>& values) {
  for (const double value : values) out.put(value);
}

void get(Reader& in, std::vector<double>& values) {
  for (double& value : values) {
    in.get(value);
    if (!std::isfinite(value)) in.fail();
  }
}

}  // namespace

Ridge::Ridge(std::size_t columns)
    : gram_(triangle_row(columns)), moments_(columns), coefficients_(columns) {}

void Ridge::add(std::span<const float> x, double y) {
  LIMINAL_DCHECK(x.size() == columns());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto xi = static_cast<double>(x[i]);
    if (xi == 0) continue;
    moments_[i] += xi * y;
    double* const r = gram_.data() + triangle_row(i);
    for (std::size_t j = 0; j <= i; ++j) r[j] += xi * static_cast<double>(x[j]);
  }
}

void Ridge::decay(double by) {
  for (double& value : gram_) value *= by;
  for (double& value : moments_) value *= by;
}

void Ridge::solve(double penalty) {
  std::vector<double> factored = gram_;
  for (std::size_t i = 1; i < columns(); ++i)
    factored[triangle_row(i) + i] += penalty * weight() + kPenaltyMin;
  std::vector<double> found = moments_;
  if (!stats::solve_positive(factored, found)) return;
  for (const double value : found) {
    if (!std::isfinite(value)) return;
  }
  coefficients_ = std::move(found);
}

double Ridge::predict(std::span<const float> x) const {
  LIMINAL_DCHECK(x.size() == columns());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += coefficients_[i] * static_cast<double>(x[i]);
  return sum;
}

std::size_t Ridge::memory_bytes() const {
  return (gram_.capacity() + moments_.capacity() + coefficients_.capacity()) * sizeof(double);
}

void Ridge::save(Writer& out) const {
  put(out, gram_);
  put(out, moments_);
  put(out, coefficients_);
}

Result<void> Ridge::load(Reader& in) {
  get(in, gram_);
  get(in, moments_);
  get(in, coefficients_);
  return in.finish();
}

}  // namespace liminal::scaling
