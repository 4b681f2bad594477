#include "core/learn/paired.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/base/random.hpp"
#include "core/learn/tails.hpp"

namespace liminal::learn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTail = .05;  ///< of the quantiles that a bootstrap tells

/// Ranks from 1; rows of one value share the mean of theirs.
std::vector<double> mid_ranks(const std::vector<float>& values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) ranks[order[k]] = .5 * static_cast<double>(i + 1 + end);
    i = end;
  }
  return ranks;
}

/// DeLong's structural components: of each positive the share of negatives below it, of each
/// negative the share of positives above it.
struct Components {
  std::vector<double> positive, negative;
  double auc = 0;
};

Components components(std::span<const float> scores, std::span<const float> labels) {
  std::vector<float> values[2];
  for (std::size_t i = 0; i < scores.size(); ++i)
    values[is_positive(labels[i]) ? 1 : 0].push_back(scores[i]);
  const std::size_t m = values[1].size(), n = values[0].size();
  std::vector<float> all = values[1];
  all.insert(all.end(), values[0].begin(), values[0].end());
  const std::vector<double> together = mid_ranks(all);
  const std::vector<double> among_positive = mid_ranks(values[1]);
  const std::vector<double> among_negative = mid_ranks(values[0]);
  Components parts{std::vector<double>(m), std::vector<double>(n)};
  for (std::size_t i = 0; i < m; ++i) {
    parts.positive[i] = (together[i] - among_positive[i]) / static_cast<double>(n);
    parts.auc += parts.positive[i] / static_cast<double>(m);
  }
  for (std::size_t j = 0; j < n; ++j)
    parts.negative[j] = 1 - (together[m + j] - among_negative[j]) / static_cast<double>(m);
  return parts;
}

/// The components of both, challenger less champion, of each class.
struct Differences {
  std::vector<double> positive, negative;
};

Differences differences(Components champion, const Components& challenger) {
  for (auto [of, less] : {std::pair{&champion.positive, &challenger.positive},
                          std::pair{&champion.negative, &challenger.negative}})
    for (std::size_t i = 0; i < of->size(); ++i) (*of)[i] = (*less)[i] - (*of)[i];
  return {std::move(champion.positive), std::move(champion.negative)};
}

/// What the rows of one class are by owner.
struct ClassByOwner {
  std::vector<double> sums;  ///< of deviations from the class's mean, one an owner
  std::vector<double> rows;
  double owners = 0;  ///< that have any
  double factor = 0;  ///< of a sample's variance: owners/(owners − 1)
};

ClassByOwner by_owner(const std::vector<double>& values,
                      bool positive,
                      std::span<const float> labels,
                      const Owners& owners) {
  ClassByOwner found{std::vector<double>(owners.count), std::vector<double>(owners.count)};
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  std::size_t place = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (is_positive(labels[row]) != positive) continue;
    found.sums[owners.of[row]] += values[place++] - mean;
    ++found.rows[owners.of[row]];
  }
  found.owners = static_cast<double>(
      std::count_if(found.rows.begin(), found.rows.end(), [](double rows) { return rows > 0; }));
  found.factor = found.owners / (found.owners - 1);
  return found;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.);
}

/// Of the difference, m positive and n negative rows.
double variance_of(const ClassByOwner& positive, const ClassByOwner& negative, double m, double n) {
  if (positive.owners < 2 || negative.owners < 2) return kInfinity;
  const auto all = static_cast<double>(positive.rows.size());
  const double variance = positive.factor * product(positive.sums, positive.sums) / (m * m) +
                          negative.factor * product(negative.sums, negative.sums) / (n * n) +
                          2 * all / (all - 1) * product(positive.sums, negative.sums) / (m * n);
  // One pair that is tied moves the area by half of its share.
  const double pairs = positive.owners * negative.owners;
  const double least = .5 / (pairs * pairs);
  return variance < .5 * least ? least : variance;
}

void summarize(std::vector<double> differences, PairedBootstrap& result) {
  std::sort(differences.begin(), differences.end());
  const auto count = differences.size();
  const auto edge = static_cast<std::size_t>(kTail * static_cast<double>(count));
  result.low = differences[edge];
  result.high = differences[count - 1 - edge];
  const auto worse = std::upper_bound(differences.begin(), differences.end(), 0.);
  result.worse =
      (static_cast<double>(worse - differences.begin()) + 1) / (static_cast<double>(count) + 1);
}

}  // namespace

double PairedAuc::line(double probability) const {
  return student_tail_quantile(probability, degrees);
}

PairedAuc delong(std::span<const float> champion,
                 std::span<const float> challenger,
                 std::span<const float> labels,
                 std::span<const std::uint64_t> users) {
  LIMINAL_CHECK(champion.size() == labels.size() && challenger.size() == labels.size());
  PairedAuc result;
  result.positives = positives(labels);
  result.negatives = labels.size() - result.positives;
  if (result.positives < 2 || result.negatives < 2) {
    result.champion = result.challenger = result.difference = kNan;
    result.variance = result.z = kNan;
    return result;
  }
  Components a = components(champion, labels);
  const Components b = components(challenger, labels);
  result.champion = a.auc;
  result.challenger = b.auc;
  result.difference = b.auc - a.auc;
  const Differences apart = differences(std::move(a), b);
  const Owners owners(users, labels.size());
  const ClassByOwner positive = by_owner(apart.positive, true, labels, owners);
  const ClassByOwner negative = by_owner(apart.negative, false, labels, owners);
  result.variance = variance_of(positive,
                                negative,
                                static_cast<double>(result.positives),
                                static_cast<double>(result.negatives));
  result.z = result.difference / sqrt(result.variance);
  result.users = std::min(alike(positive.rows), alike(negative.rows));
  if (owners.known) result.degrees = result.users - 1;
  return result;
}

PairedAuc against_chance(std::span<const float> scores,
                         std::span<const float> labels,
                         std::span<const std::uint64_t> users) {
  return delong(std::vector<float>(labels.size(), 0.F), scores, labels, users);
}

double positives_needed(const PairedAuc& seen, double least) {
  constexpr double kAlpha = .05;
  constexpr double kDegreesMin = 3;  // below, no line is known
  if (!std::isfinite(seen.variance)) return 0;
  const auto times = [&](double line) {
    const double errors = (line + kPlannedPower) / least;
    return errors * errors * seen.variance;
  };
  double needed = times(normal_tail_quantile(kAlpha));
  if (std::isinf(seen.degrees)) return needed * static_cast<double>(seen.positives);
  // More users have a lower line, which takes fewer users: it closes in from both sides.
  for (int i = 0; i < 20; ++i) {
    const double degrees = std::max(needed * seen.users - 1, kDegreesMin);
    needed = .5 * (needed + times(student_tail_quantile(kAlpha, degrees)));
  }
  return needed * static_cast<double>(seen.positives);
}

MeanByUser mean_by_user(std::span<const double> values, const Owners& owners) {
  const auto rows = static_cast<double>(values.size());
  MeanByUser found;
  for (const double value : values) found.mean += value / rows;
  const std::vector<double> sums = owners.sums(values);
  const std::vector<double> counts = owners.sums(std::vector<double>(values.size(), 1.));
  double squares = 0;
  for (std::size_t owner = 0; owner < owners.count; ++owner) {
    const double off = sums[owner] - counts[owner] * found.mean;
    squares += off * off;
  }
  const auto count = static_cast<double>(owners.count);
  found.error = count < 2 ? kInfinity : sqrt(count / (count - 1) * squares) / rows;
  found.users = alike(counts);
  return found;
}

PairedBootstrap paired_bootstrap(std::span<const double> gains,
                                 std::span<const std::uint64_t> users,
                                 std::size_t rounds,
                                 std::uint64_t seed,
                                 double wider,
                                 const Stop& stop) {
  const PairedBootstrap nothing{kNan, kNan, kNan, kNan};
  if (gains.empty()) return nothing;
  const Owners owners(users, gains.size());
  const std::vector<double> sums = owners.sums(gains);
  const std::vector<double> rows = owners.sums(std::vector<double>(gains.size(), 1.));
  PairedBootstrap result;
  result.difference =
      std::accumulate(gains.begin(), gains.end(), 0.) / static_cast<double>(gains.size());
  if (!std::isfinite(result.difference)) return nothing;
  const PairedBootstrap unknown{result.difference, -kInfinity, kInfinity, 1};
  wider *= owners.widening(kTail, alike(rows));
  if (!std::isfinite(wider)) return unknown;
  Random random(seed);
  std::vector<double> differences;
  for (std::size_t round = 0; round < rounds; ++round) {
    if (stop && stop()) return unknown;
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < owners.count; ++i) {
      const std::size_t owner = random.below(owners.count);
      sum += sums[owner];
      count += rows[owner];
    }
    differences.push_back(result.difference + wider * (sum / count - result.difference));
  }
  if (differences.empty()) return nothing;
  summarize(std::move(differences), result);
  return result;
}

}  // namespace liminal::learn
