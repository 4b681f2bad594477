#include "core/learn/promote.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/experiment.hpp"
#include "core/learn/words.hpp"

namespace liminal::learn {
namespace {

constexpr double kBytesMiB = 1024. * 1024;
constexpr std::size_t kBootstrapRounds = 1000;

/// Collects what speaks against a promotion; what speaks for it stands behind.
class Verdict {
 public:
  void against(std::string reason) { against_.push_back(std::move(reason)); }
  void in_favour(std::string reason) { in_favour_.push_back(std::move(reason)); }

  void write(GateDecision& decision) && {
    decision.promote = against_.empty();
    decision.reasons = std::move(against_);
    decision.reasons.insert(decision.reasons.end(), in_favour_.begin(), in_favour_.end());
  }

 private:
  std::vector<std::string> against_, in_favour_;
};

void judge_cost(const GateInput& input, const GateOptions& options, Verdict& verdict) {
  const std::string time = in_words(input.latency_us, 2) + " µs a row, budget " +
                           in_words(options.latency_us_max, 2) + " µs";
  if (input.latency_us <= options.latency_us_max) {
    verdict.in_favour("fast enough: " + time);
  } else {
    verdict.against("too slow: " + time);
  }
  const std::string memory = in_words(input.memory_bytes / kBytesMiB, 2) + " MiB, budget " +
                             in_words(options.memory_bytes_max / kBytesMiB, 2) + " MiB";
  if (input.memory_bytes > options.memory_bytes_max) verdict.against("too large: " + memory);
}

std::vector<float> chosen(std::span<const float> values, const Slice& slice) {
  std::vector<float> found;
  for (const std::uint32_t row : slice.rows) {
    LIMINAL_CHECK(row < values.size());
    found.push_back(values[row]);
  }
  return found;
}

void judge_slices(const GateInput& input, const GateOptions& options, Verdict& verdict) {
  for (const Slice& slice : input.slices) {
    const PairedAuc test = delong(chosen(input.champion, slice),
                                  chosen(input.challenger, slice),
                                  chosen(input.labels, slice));
    if (static_cast<double>(std::min(test.positives, test.negatives)) < options.slice_positives_min)
      continue;
    if (test.difference + 2 * sqrt(test.variance) < -options.slice_loss_max) {
      verdict.against("slice " + slice.name + " is much worse: AUC " + in_words(test.champion, 4) +
                      " to " + in_words(test.challenger, 4));
    }
  }
}

void judge_calibration(const GateInput& input, const GateOptions& options, Verdict& verdict) {
  const double error = calibration_error(input.challenger, input.labels);
  const double champions =
      input.champion.empty() ? 0 : calibration_error(input.champion, input.labels);
  const std::string text = "probabilities are off by " + in_words(error, 3) + " on average";
  if (error > std::max(options.calibration_error_max, champions)) {
    verdict.against("badly calibrated: " + text);
  } else {
    verdict.in_favour("calibrated: " + text);
  }
}

/// The challenger against chance, as a paired test against a constant.
PairedAuc against_chance(const GateInput& input) {
  const std::vector<float> constant(input.labels.size(), 0.F);
  return delong(constant, input.challenger, input.labels);
}

void judge_difference(const GateInput& input,
                      const GateOptions& options,
                      GateDecision& decision,
                      Verdict& verdict) {
  const PairedAuc& test = decision.test;
  const double line = normal_tail_quantile(options.false_ratio / std::max<double>(input.looks, 1));
  const std::string figures = "AUC " + in_words(test.champion, 4) + " to " +
                              in_words(test.challenger, 4) + ", z = " + in_words(test.z, 2) +
                              ", line " + in_words(line, 2);
  if (test.z > line) {
    verdict.in_favour("better: " + figures);
    return;
  }
  verdict.against("not shown to be better: " + figures);
  if (decision.positives_needed > static_cast<double>(test.positives)) {
    verdict.against("to tell a difference of " + in_words(options.least, 3) + " takes about " +
                    in_words(decision.positives_needed, 0) + " positives; there are " +
                    std::to_string(test.positives));
  }
}

}  // namespace

GateDecision judge_classifier(const GateInput& input, const GateOptions& options) {
  LIMINAL_CHECK(input.challenger.size() == input.labels.size());
  LIMINAL_CHECK(input.champion.empty() || input.champion.size() == input.labels.size());
  GateDecision decision;
  Verdict verdict;
  const bool first = input.champion.empty();
  decision.test =
      first ? against_chance(input) : delong(input.champion, input.challenger, input.labels);
  const std::size_t positive = positives(input.labels);
  const std::size_t fewest = std::min(positive, input.labels.size() - positive);
  if (static_cast<double>(fewest) < options.positives_min) {
    verdict.against("too few rows to tell: " + std::to_string(positive) + " positives and " +
                    std::to_string(input.labels.size() - positive) + " negatives, " +
                    in_words(options.positives_min, 0) + " of each are needed");
  } else {
    decision.positives_needed = positives_needed(decision.test, options.least);
    judge_difference(input, options, decision, verdict);
    if (!first) judge_slices(input, options, verdict);
    judge_calibration(input, options, verdict);
  }
  judge_cost(input, options, verdict);
  std::move(verdict).write(decision);
  return decision;
}

GateDecision judge_regressor(const GateInput& input, const GateOptions& options) {
  LIMINAL_CHECK(input.challenger.size() == input.labels.size());
  LIMINAL_CHECK(input.champion.empty() || input.champion.size() == input.labels.size());
  GateDecision decision;
  Verdict verdict;
  std::vector<float> constant;
  std::span<const float> champion = input.champion;
  if (champion.empty()) {
    // The median is the best constant by absolute error.
    std::vector<float> sorted(input.labels.begin(), input.labels.end());
    std::sort(sorted.begin(), sorted.end());
    constant.assign(sorted.size(), sorted.empty() ? 0.F : sorted[sorted.size() / 2]);
    champion = constant;
  }
  if (static_cast<double>(input.labels.size()) < options.positives_min) {
    verdict.against("too few rows to tell: " + std::to_string(input.labels.size()) + ", " +
                    in_words(options.positives_min, 0) + " are needed");
  } else {
    const Measure measure = [](auto said, auto is) { return -mean_absolute_error(said, is); };
    decision.bootstrap = paired_bootstrap(
        measure, champion, input.challenger, input.labels, kBootstrapRounds, input.seed);
    const double allowed = options.false_ratio / std::max<double>(input.looks, 1);
    const std::string figures = "mean absolute error " +
                                in_words(mean_absolute_error(champion, input.labels), 4) + " to " +
                                in_words(mean_absolute_error(input.challenger, input.labels), 4) +
                                ", worse in " + in_words(100 * decision.bootstrap.worse, 1) +
                                " % of resamples, line " + in_words(100 * allowed, 1) + " %";
    if (decision.bootstrap.worse < allowed) {
      verdict.in_favour("better: " + figures);
    } else {
      verdict.against("not shown to be better: " + figures);
    }
    for (const Slice& slice : input.slices) {
      if (static_cast<double>(slice.rows.size()) < 2 * options.slice_positives_min) continue;
      const auto labels = chosen(input.labels, slice);
      const double before = mean_absolute_error(chosen(champion, slice), labels);
      const double after = mean_absolute_error(chosen(input.challenger, slice), labels);
      if (after > before * (1 + options.slice_loss_max)) {
        verdict.against("slice " + slice.name + " is worse: mean absolute error " +
                        in_words(before, 4) + " to " + in_words(after, 4));
      }
    }
  }
  judge_cost(input, options, verdict);
  std::move(verdict).write(decision);
  return decision;
}

}  // namespace liminal::learn
