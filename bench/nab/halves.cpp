#include "halves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "core/base/check.hpp"
#include "core/base/random.hpp"

namespace nab {
namespace {

using liminal::Random;
using liminal::novelty::Constants;
using liminal::novelty::MetricDetector;

constexpr double kFarthest = 8;  ///< times smaller or larger than the shipped constant
constexpr double kStep = .3;     ///< deviation of the logarithm of a change

/// By how much each constant that a detector of undeclared range uses is changed, but for `enough`,
/// which trades false alarms of the first hours for NAB's score.
constexpr std::size_t kFactors = 19;
using Factors = std::array<double, kFactors>;

Constants of(const Factors& by) {
  const Constants& plain = MetricDetector::kDefaults;
  Constants made = plain;
  std::size_t next = 0;
  const auto scaled = [&](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    return static_cast<T>(std::max(1e-9, static_cast<double>(value) * by[next++]));
  };
  made.value_weight = scaled(plain.value_weight);
  made.mean_weight = scaled(plain.mean_weight);
  made.deviation_weight = scaled(plain.deviation_weight);
  made.short_weight = scaled(plain.short_weight);
  made.spacing = scaled(plain.spacing);
  made.spacing_points = scaled(plain.spacing_points);
  made.short_points = scaled(plain.short_points);
  made.long_points = scaled(plain.long_points);
  made.ramp = scaled(plain.ramp);
  made.history = scaled(plain.history);
  made.history_points = scaled(plain.history_points);
  made.curvature = scaled(plain.curvature);
  made.range_slack = scaled(plain.range_slack);
  made.hold = scaled(plain.hold);
  made.line.tail_exponent = scaled(plain.line.tail_exponent);
  made.line.prior_novelty = scaled(plain.line.prior_novelty);
  made.line.prior_points = scaled(plain.line.prior_points);
  made.line.decay_points = scaled(plain.line.decay_points);
  made.line.budget = scaled(plain.line.budget);
  LIMINAL_CHECK(next == kFactors);
  return made;
}

double worth(std::span<const Series> tuned, const Factors& by) {
  const auto scores = run(tuned, false, of(by));
  double sum = 0;
  for (const Profile& profile : kProfiles) sum += normalized(tuned, scores, 1, profile);
  return sum;
}

Factors drawn(Random& random) {
  Factors by;
  for (double& factor : by) factor = std::exp(random.uniform(-1, 1) * std::log(kFarthest));
  return by;
}

Factors changed(Factors by, Random& random) {
  for (std::uint64_t more = 1 + random.below(3); more > 0; --more)
    by[random.below(kFactors)] *= std::exp(kStep * random.normal());
  return by;
}

}  // namespace

std::vector<Half> halves(const std::vector<Series>& all) {
  std::vector<Half> made{{"first", {}, {}, 1}, {"second", {}, {}, 2}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    made[i % 2].tuned.push_back(all[i]);
    made[1 - i % 2].other.push_back(all[i]);
  }
  return made;
}

Constants search(std::span<const Series> tuned, unsigned rounds, std::uint64_t seed) {
  Random random(seed);
  Factors best_so_far = drawn(random);
  double most = worth(tuned, best_so_far);
  for (unsigned round = 1; round < rounds; ++round) {
    const Factors tried = round < rounds / 3 ? drawn(random) : changed(best_so_far, random);
    const double found = worth(tuned, tried);
    if (found > most) most = found, best_so_far = tried;
  }
  return of(best_so_far);
}

}  // namespace nab
