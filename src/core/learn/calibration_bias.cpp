#include "core/learn/calibration_bias.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"

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
  std::vector<std::uint32_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0U);
  if (!users.empty())
    std::stable_sort(
        order.begin(), order.end(), [&](auto a, auto b) { return users[a] < users[b]; });
  Sums sums;
  double said = 0, came = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t row = order[i];
    said += static_cast<double>(probabilities[row]);
    came += is_positive(labels[row]) ? 1 : 0;
    const bool same = !users.empty() && i + 1 < order.size() && users[order[i + 1]] == users[row];
    if (same) continue;
    sums.add(said, came);
    said = came = 0;
  }
  return sums;
}

}  // namespace

double student_tail_quantile(double probability, double degrees) {
  if (!(degrees >= 3)) return std::numeric_limits<double>::infinity();
  const double z = normal_tail_quantile(probability), z2 = z * z;
  const double first = z * (z2 + 1) / 4;
  const double second = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double third = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  return z + (first + (second + third / degrees) / degrees) / degrees;
}

CalibrationBias calibration_bias(std::span<const float> probabilities,
                                 std::span<const float> labels,
                                 std::span<const std::uint64_t> users) {
  LIMINAL_CHECK(probabilities.size() == labels.size());
  LIMINAL_CHECK(users.empty() || users.size() == labels.size());
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
