#include "core/learn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

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

}  // namespace liminal::learn
