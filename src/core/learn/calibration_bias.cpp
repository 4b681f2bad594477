#include "core/learn/calibration_bias.hpp"

#include <algorithm>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/owners.hpp"
#include "core/learn/tails.hpp"

namespace liminal::learn {
namespace {

constexpr double kTail = .025;

/// Sums over users of what was said (p) and what came (y) of each.
struct Sums {
  double p = 0, y = 0, pp = 0, py = 0, yy = 0;

  void add(double said, double came) {
    p += said;
    y += came;
    pp += said * said;
    py += said * came;
    yy += came * came;
  }
};

Sums sums_of(std::span<const float> probabilities,
             std::span<const float> labels,
             std::span<const std::uint64_t> users) {
  const Owners owners(users, labels.size());
  std::vector<double> said(owners.count), came(owners.count);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    said[owners.of[row]] += static_cast<double>(probabilities[row]);
    came[owners.of[row]] += is_positive(labels[row]) ? 1 : 0;
  }
  Sums sums;
  for (std::size_t owner = 0; owner < owners.count; ++owner) sums.add(said[owner], came[owner]);
  return sums;
}

}  // namespace

CalibrationBias calibration_bias(std::span<const float> probabilities,
                                 std::span<const float> labels,
                                 std::span<const std::uint64_t> users) {
  LIMINAL_CHECK(probabilities.size() == labels.size());
  const Sums sums = sums_of(probabilities, labels, users);
  CalibrationBias bias;
  if (!(sums.y > 0)) {
    bias.ratio = std::numeric_limits<double>::quiet_NaN();
    return bias;
  }
  bias.ratio = sums.p / sums.y - 1;
  bias.users = sums.y * sums.y / sums.yy;
  const double t = student_tail_quantile(kTail, bias.users - 1), t2 = t * t;
  // (P − R·Y)² ≤ t²·Σ(p − R·y)², a quadratic in R = 1 + r.
  const double a = sums.y * sums.y - t2 * sums.yy;
  if (!(a > 0)) return bias;
  const double b = sums.p * sums.y - t2 * sums.py;
  const double c = sums.p * sums.p - t2 * sums.pp;
  const double root = sqrt(std::max(0., b * b - a * c));
  bias.low = (b - root) / a - 1;
  bias.high = (b + root) / a - 1;
  return bias;
}

}  // namespace liminal::learn
