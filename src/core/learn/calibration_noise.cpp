#include "core/learn/calibration_noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/random.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/owners.hpp"

namespace liminal::learn {
namespace {

constexpr std::size_t kBins = 10;  ///< as `calibration_error`
constexpr std::size_t kRounds = 500;
constexpr double kTail = .05;

/// Rows of one probability, which share alike in the bins that they lie in.
struct Tie {
  std::uint32_t begin, end;  ///< places in the order of probabilities
};

/// Sums of signed residuals by bin, for signs that change by owner.
class Residuals {
 public:
  Residuals(std::span<const float> probabilities, std::span<const float> labels) {
    const std::size_t rows = labels.size();
    std::vector<std::uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
      return probabilities[a] < probabilities[b];
    });
    residual_.resize(rows);
    tie_.resize(rows);
    for (std::uint32_t i = 0; i < rows; ++i) {
      const std::uint32_t row = order[i];
      if (i == 0 || probabilities[row] != probabilities[order[i - 1]]) ties_.push_back({i, i});
      ties_.back().end = i + 1;
      tie_[row] = static_cast<std::uint32_t>(ties_.size() - 1);
      residual_[row] = double{probabilities[row]} - (is_positive(labels[row]) ? 1 : 0);
    }
  }

  /// The calibration error if each owner's residuals had its sign.
  [[nodiscard]] double error(const Owners& owners, const std::vector<double>& signs) {
    sums_.assign(ties_.size(), 0);
    for (std::size_t row = 0; row < residual_.size(); ++row)
      sums_[tie_[row]] += signs[owners.of[row]] * residual_[row];
    double found = 0;
    std::size_t tie = 0;
    const std::size_t rows = residual_.size();
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      const std::size_t begin = rows * bin / kBins, end = rows * (bin + 1) / kBins;
      double sum = 0;
      for (std::size_t at = begin; at < end;) {
        const Tie& here = ties_[tie];
        const std::size_t until = std::min<std::size_t>(end, here.end);
        sum += sums_[tie] * static_cast<double>(until - at) /
               static_cast<double>(here.end - here.begin);
        if (until == here.end) ++tie;
        at = until;
      }
      found += std::abs(sum);
    }
    return found / static_cast<double>(rows);
  }

 private:
  std::vector<double> residual_;
  std::vector<std::uint32_t> tie_;  ///< of each row
  std::vector<Tie> ties_;
  std::vector<double> sums_;
};

double positives_alike(std::span<const float> labels, const Owners& owners) {
  std::vector<double> positive;
  for (const float label : labels) positive.push_back(is_positive(label) ? 1 : 0);
  return alike(owners.sums(positive));
}

}  // namespace

double calibration_noise(std::span<const float> probabilities,
                         std::span<const float> labels,
                         std::span<const std::uint64_t> users,
                         std::uint64_t seed) {
  LIMINAL_CHECK(probabilities.size() == labels.size());
  const Owners owners(users, labels.size());
  const double wider = owners.widening(kTail, positives_alike(labels, owners));
  if (labels.empty() || !std::isfinite(wider)) return wider;
  Residuals residuals(probabilities, labels);
  Random random(seed);
  std::vector<double> signs(owners.count), errors;
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (double& sign : signs) sign = random.chance(.5) ? 1 : -1;
    errors.push_back(residuals.error(owners, signs));
  }
  const auto at = errors.begin() + static_cast<std::ptrdiff_t>((1 - kTail) * kRounds);
  std::nth_element(errors.begin(), at, errors.end());
  return wider * *at;
}

}  // namespace liminal::learn
