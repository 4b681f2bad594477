#include "core/learn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kProbabilityMin = 1e-7;

struct Scored {
  float score;
  bool positive;
};

/// The rows from the highest score down.
std::vector<Scored> ranked(std::span<const float> scores, std::span<const float> labels) {
  LIMINAL_CHECK(scores.size() == labels.size());
  std::vector<Scored> rows(scores.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {scores[i], is_positive(labels[i])};
  std::sort(
      rows.begin(), rows.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return rows;
}

/// Calls `visit(negatives, positives)` for each group of rows with one score, highest first.
template <class Visit>
void for_each_tie(std::span<const Scored> rows, Visit visit) {
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t count[2]{};
    const float score = rows[i].score;
    for (; i < rows.size() && rows[i].score == score; ++i) ++count[rows[i].positive ? 1 : 0];
    visit(static_cast<double>(count[0]), static_cast<double>(count[1]));
  }
}

template <class Loss>
double mean_loss(std::span<const float> said, std::span<const float> is, Loss loss) {
  LIMINAL_CHECK(said.size() == is.size());
  double sum = 0;
  for (std::size_t i = 0; i < said.size(); ++i) {
    sum += loss(static_cast<double>(said[i]), static_cast<double>(is[i]));
  }
  return said.empty() ? kNan : sum / static_cast<double>(said.size());
}

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

/// The sample variance of a − b; an empty b is zero.
double variance_of_difference(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const auto at = [&](std::size_t i) { return a[i] - (b.empty() ? 0 : b[i]); };
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean += at(i) / n;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (at(i) - mean) * (at(i) - mean);
  return squares / (n - 1);
}

}  // namespace

std::size_t positives(std::span<const float> labels) {
  return static_cast<std::size_t>(std::count_if(labels.begin(), labels.end(), is_positive));
}

double roc_auc(std::span<const float> scores, std::span<const float> labels) {
  const auto rows = ranked(scores, labels);
  double above = 0, pairs = 0, negatives_all = 0;
  for_each_tie(rows, [&](double negatives, double ties) {
    pairs += negatives * (above + .5 * ties);
    above += ties;
    negatives_all += negatives;
  });
  return above > 0 && negatives_all > 0 ? pairs / (above * negatives_all) : kNan;
}

double average_precision(std::span<const float> scores, std::span<const float> labels) {
  const auto rows = ranked(scores, labels);
  double found = 0, seen = 0, sum = 0;
  for_each_tie(rows, [&](double negatives, double ties) {
    found += ties;
    seen += negatives + ties;
    sum += ties * found / seen;
  });
  return found > 0 ? sum / found : kNan;
}

double recall_at(std::span<const float> scores, std::span<const float> labels, double alert_ratio) {
  const auto rows = ranked(scores, labels);
  const double budget = std::max(1., alert_ratio * static_cast<double>(rows.size()));
  double found = 0, all = 0, used = 0;
  for_each_tie(rows, [&](double negatives, double ties) {
    const double count = negatives + ties;
    found += ties * std::clamp((budget - used) / count, 0., 1.);
    used += count;
    all += ties;
  });
  return all > 0 ? found / all : kNan;
}

double brier(std::span<const float> probabilities, std::span<const float> labels) {
  return mean_loss(probabilities, labels, [](double p, double y) { return (p - y) * (p - y); });
}

double log_loss(std::span<const float> probabilities, std::span<const float> labels) {
  return mean_loss(probabilities, labels, [](double p, double y) {
    const double kept = std::clamp(p, kProbabilityMin, 1 - kProbabilityMin);
    return -(y * log(kept) + (1 - y) * log(1 - kept));
  });
}

double margin_log_loss(std::span<const float> margins, std::span<const float> labels) {
  return mean_loss(margins, labels, [](double m, double y) {
    return std::max(m, 0.) - m * y + log1p(exp(-std::abs(m)));
  });
}

double mean_absolute_error(std::span<const float> said, std::span<const float> is) {
  return mean_loss(said, is, [](double f, double y) { return std::abs(f - y); });
}

double root_mean_square_error(std::span<const float> said, std::span<const float> is) {
  return sqrt(mean_loss(said, is, [](double f, double y) { return (f - y) * (f - y); }));
}

double pinball(std::span<const float> said, std::span<const float> is, double level) {
  return mean_loss(said, is, [level](double f, double y) {
    return y >= f ? level * (y - f) : (1 - level) * (f - y);
  });
}

double share_at_or_below(std::span<const float> said, std::span<const float> is) {
  return mean_loss(said, is, [](double f, double y) { return y <= f ? 1. : 0.; });
}

std::vector<CalibrationBin> calibration_bins(std::span<const float> probabilities,
                                             std::span<const float> labels,
                                             std::size_t bins) {
  auto rows = ranked(probabilities, labels);
  std::reverse(rows.begin(), rows.end());
  std::vector<double> observed;  // of each row the share of positives among those of its score
  for_each_tie(rows, [&](double negatives, double ties) {
    const auto count = static_cast<std::size_t>(negatives + ties);
    observed.insert(observed.end(), count, ties / (negatives + ties));
  });
  std::vector<CalibrationBin> found;
  for (std::size_t b = 0; b < bins; ++b) {
    const std::size_t begin = rows.size() * b / bins, end = rows.size() * (b + 1) / bins;
    if (begin == end) continue;
    CalibrationBin bin{end - begin};
    const auto count = static_cast<double>(bin.rows);
    for (std::size_t i = begin; i < end; ++i) {
      bin.predicted += static_cast<double>(rows[i].score) / count;
      bin.observed += observed[i] / count;
    }
    found.push_back(bin);
  }
  return found;
}

double calibration_error(std::span<const float> probabilities, std::span<const float> labels) {
  if (labels.empty()) return kNan;
  double sum = 0;
  for (const CalibrationBin& bin : calibration_bins(probabilities, labels, 10))
    sum += static_cast<double>(bin.rows) * std::abs(bin.predicted - bin.observed);
  return sum / static_cast<double>(labels.size());
}

PairedAuc delong(std::span<const float> champion,
                 std::span<const float> challenger,
                 std::span<const float> labels) {
  LIMINAL_CHECK(champion.size() == labels.size() && challenger.size() == labels.size());
  PairedAuc result;
  result.positives = positives(labels);
  result.negatives = labels.size() - result.positives;
  if (result.positives < 2 || result.negatives < 2) {
    result.champion = result.challenger = result.difference = kNan;
    result.variance = result.z = result.positive_part = result.negative_part = kNan;
    return result;
  }
  const Components a = components(champion, labels), b = components(challenger, labels);
  result.champion = a.auc;
  result.challenger = b.auc;
  result.difference = b.auc - a.auc;
  const auto m = static_cast<double>(result.positives), n = static_cast<double>(result.negatives);
  result.positive_part = variance_of_difference(b.positive, a.positive);
  result.negative_part = variance_of_difference(b.negative, a.negative);
  // One pair that is tied moves one row's share of n (or m) others by half of one.
  const double positive_least = .25 / (n * n * m), negative_least = .25 / (m * m * n);
  if (result.positive_part / m + result.negative_part / n <
      .5 * (positive_least / m + negative_least / n)) {
    result.positive_part = positive_least;
    result.negative_part = negative_least;
  }
  result.variance = result.positive_part / m + result.negative_part / n;
  result.z = result.difference / sqrt(result.variance);
  return result;
}

double auc_variance(std::span<const float> scores, std::span<const float> labels) {
  const std::size_t m = positives(labels), n = labels.size() - m;
  if (m < 2 || n < 2) return kNan;
  const Components parts = components(scores, labels);
  return variance_of_difference(parts.positive, {}) / static_cast<double>(m) +
         variance_of_difference(parts.negative, {}) / static_cast<double>(n);
}

double normal_tail_quantile(double probability) {
  LIMINAL_CHECK(probability > 0 && probability <= .5);
  constexpr double kRootTwoPi = 2.5066282746310002;
  double z = sqrt(std::max(0., -2 * log(2 * probability)));
  for (int i = 0; i < 60; ++i) {
    const double density = exp(-z * z / 2) / kRootTwoPi;
    double tail = 0;
    if (z > 1) {
      double fraction = z;
      for (int k = 60; k > 0; --k) fraction = z + k / fraction;
      tail = density / fraction;
    } else {  // the fraction converges slowly here, the series around 0 at once
      double term = z, sum = z;
      for (int k = 1; k < 40; ++k) sum += term *= z * z / (2 * k + 1);
      tail = .5 - density * sum;
    }
    const double step = (tail - probability) / density;
    z = std::max(0., z + step);
    if (std::abs(step) < 1e-12) break;
  }
  return z;
}

double positives_needed(const PairedAuc& seen, double least) {
  constexpr double kAlpha = 1.6448536, kPower = .8416212;  // normal quantiles of .95 and .8
  const double errors = (kAlpha + kPower) / least;
  return errors * errors * seen.variance * static_cast<double>(seen.positives);
}

PairedBootstrap paired_bootstrap(const Measure& measure,
                                 std::span<const float> champion,
                                 std::span<const float> challenger,
                                 std::span<const float> labels,
                                 std::size_t rounds,
                                 std::uint64_t seed) {
  PairedBootstrap result;
  result.difference = measure(challenger, labels) - measure(champion, labels);
  Random random(seed);
  const std::size_t n = labels.size();
  std::vector<float> a(n), b(n), y(n);
  std::vector<double> differences;
  for (std::size_t round = 0; round < rounds && n > 0; ++round) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = random.below(n);
      a[i] = champion[row];
      b[i] = challenger[row];
      y[i] = labels[row];
    }
    const double difference = measure(b, y) - measure(a, y);
    if (std::isfinite(difference)) differences.push_back(difference);
  }
  if (differences.empty()) {
    result.low = result.high = result.worse = kNan;
    return result;
  }
  std::sort(differences.begin(), differences.end());
  const auto count = differences.size();
  result.low = differences[count / 20];
  result.high = differences[count - 1 - count / 20];
  const auto worse = std::upper_bound(differences.begin(), differences.end(), 0.);
  result.worse =
      (static_cast<double>(worse - differences.begin()) + 1) / (static_cast<double>(count) + 1);
  return result;
}

}  // namespace liminal::learn
