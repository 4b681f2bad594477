#include "core/learn/owners.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/tails.hpp"

namespace liminal::learn {

Owners::Owners(std::span<const std::uint64_t> users, std::size_t rows)
    : of(rows), count(rows), known(!users.empty()) {
  std::iota(of.begin(), of.end(), 0U);
  if (!known) return;
  LIMINAL_CHECK(users.size() == rows);
  std::vector<std::uint32_t> order = of;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return users[a] < users[b]; });
  count = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (i == 0 || users[order[i]] != users[order[i - 1]]) ++count;
    of[order[i]] = static_cast<std::uint32_t>(count - 1);
  }
}

std::vector<double> Owners::sums(std::span<const double> values) const {
  LIMINAL_CHECK(values.size() == of.size());
  std::vector<double> found(count);
  for (std::size_t row = 0; row < of.size(); ++row) found[of[row]] += values[row];
  return found;
}

double Owners::widening(double probability, double users) const {
  if (!known) return 1;
  return student_tail_quantile(probability, users - 1) / normal_tail_quantile(probability);
}

double users_to_draw(double judging, double share) {
  if (!(judging > 0)) return 0;
  // n·share − z·√(n·share·(1 − share)) = judging, solved for √n; half a user makes up for
  // counts being whole.
  const double slack = kPlannedPower * sqrt(share * (1 - share));
  const double root =
      (slack + sqrt(slack * slack + 4 * share * (ceil(judging) - .5))) / (2 * share);
  return std::max(ceil(root * root), ceil(judging));
}

double alike(std::span<const double> weights) {
  double sum = 0, squares = 0;
  for (const double weight : weights) {
    sum += weight;
    squares += weight * weight;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

}  // namespace liminal::learn
