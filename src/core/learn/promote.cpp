#include "core/learn/promote.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/calibration_noise.hpp"
#include "core/learn/stretches.hpp"
#include "core/learn/tails.hpp"
#include "core/learn/words.hpp"

namespace liminal::learn {
namespace {

constexpr double kBytesMiB = 1024. * 1024;
constexpr double kRoundsMin = 1000, kRoundsMax = 20'000;
constexpr double kSliceTail = .02275;  ///< two standard errors, where users are many

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

template <class T>
std::vector<T> chosen(std::span<const T> values, const Slice& slice) {
  std::vector<T> found;
  if (values.empty()) return found;
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
                                  chosen(input.labels, slice),
                                  chosen(input.users, slice));
    if (static_cast<double>(std::min(test.positives, test.negatives)) < options.slice_positives_min)
      continue;
    if (test.difference + test.line(kSliceTail) * sqrt(test.variance) < -options.slice_loss_max) {
      verdict.against("slice " + slice.name + " is much worse: AUC " + in_words(test.champion, 4) +
                      " to " + in_words(test.challenger, 4));
    }
  }
}

/// "+53 % of the share of positives, by 14 users within −10 to +130 %".
std::string words_of(const CalibrationBias& bias, const char* whose) {
  const auto percent = [](double ratio) {
    return (ratio < 0 ? "−" : "+") + in_words(100 * std::abs(ratio), 0);
  };
  const std::string off = percent(bias.ratio) + " % of the share of positives, ";
  if (!bias.known())
    return off + "which are as of " + in_words(bias.users, 1) + whose +
           " alike, and it takes some seven";
  return off + "by " + in_words(bias.users, 0) + whose + " within " + percent(bias.low) + " to " +
         percent(bias.high) + " %";
}

/// Whether the mean probability is what it says. `text` says what else speaks for it.
void judge_bias(const GateInput& input,
                const GateOptions& options,
                const CalibrationBias& bias,
                const std::string& text,
                Verdict& verdict) {
  const bool first = input.champion.empty();
  double most = options.calibration_ratio_max;
  if (!first)
    most =
        std::max(most, std::abs(calibration_bias(input.champion, input.labels, input.users).ratio));
  const char* const whose = input.users.empty() ? " rows" : " users";
  const std::string off = words_of(bias, whose);
  if (bias.low > most || bias.high < -most) {
    verdict.against("badly calibrated: the mean probability is off by " + off);
  } else if (!(std::abs(bias.ratio) <= most) || (first && !bias.known())) {
    verdict.against(std::string("not enough") + whose +
                    " to tell whether it is calibrated: the mean probability is off by " + off);
  } else {
    verdict.in_favour("calibrated: " + text + ", their mean by " + off);
  }
}

void judge_calibration(const GateInput& input,
                       const GateOptions& options,
                       GateDecision& decision,
                       Verdict& verdict) {
  decision.bias = calibration_bias(input.challenger, input.labels, input.users);
  const double error = calibration_error(input.challenger, input.labels);
  const double most =
      std::max(options.calibration_error_max,
               input.champion.empty() ? 0 : calibration_error(input.champion, input.labels));
  std::string text = "probabilities are off by " + in_words(error, 3) + " on average";
  if (error > most) {
    decision.calibration_noise =
        calibration_noise(input.challenger, input.labels, input.users, input.seed);
    text += ", and by chance by up to " + in_words(decision.calibration_noise, 3);
  }
  if (error > std::max(most, decision.calibration_noise)) {
    verdict.against("badly calibrated: " + text);
  } else {
    judge_bias(input, options, decision.bias, text, verdict);
  }
}

void judge_difference(const GateInput& input,
                      const GateOptions& options,
                      GateDecision& decision,
                      Verdict& verdict) {
  const PairedAuc& test = decision.test;
  const double line = test.line(options.false_ratio / std::max<double>(input.looks, 1));
  const std::string areas =
      "AUC " + in_words(test.champion, 4) + " to " + in_words(test.challenger, 4);
  if (!std::isfinite(line)) {
    verdict.against("not enough users to tell whether it is better: " + areas +
                    ", by rows of one class that are as of " + in_words(test.users, 1) +
                    " users alike, and it takes four");
    return;
  }
  const std::string figures =
      areas + ", z = " + in_words(test.z, 2) + ", line " + in_words(line, 2) +
      (input.users.empty() ? "" : " by " + in_words(test.users, 0) + " users");
  if (test.z > line) {
    verdict.in_favour("better: " + figures);
    return;
  }
  verdict.against("not shown to be better: " + figures);
  if (decision.positives_needed > static_cast<double>(test.positives)) {
    const auto of_users = [&](double users) {
      return input.users.empty() ? std::string() : " of " + in_words(users, 0) + " users alike";
    };
    verdict.against("to tell a difference of " + in_words(decision.to_tell, 3) + " takes about " +
                    in_words(decision.positives_needed, 0) + " positives" +
                    of_users(decision.users_needed) + "; there are " +
                    std::to_string(test.positives) + of_users(test.users));
  }
}

double absolute_error(float said, float is) {
  return std::abs(static_cast<double>(said) - static_cast<double>(is));
}

/// Slices by the paired differences of their rows' absolute errors.
void judge_value_slices(const GateInput& input,
                        std::span<const float> champion,
                        std::span<const std::uint64_t> whose,
                        double wider,
                        const GateOptions& options,
                        Verdict& verdict) {
  for (const Slice& slice : input.slices) {
    if (static_cast<double>(slice.rows.size()) < 2 * options.slice_positives_min) continue;
    std::vector<double> grown;
    double before = 0;
    for (const std::uint32_t row : slice.rows) {
      LIMINAL_CHECK(row < input.labels.size());
      const double old = absolute_error(champion[row], input.labels[row]);
      before += old / static_cast<double>(slice.rows.size());
      grown.push_back(absolute_error(input.challenger[row], input.labels[row]) - old);
    }
    const Owners owners(chosen(whose, slice), slice.rows.size());
    const MeanByUser more = mean_by_user(grown, owners);
    const double errors =
        wider * owners.widening(kSliceTail, more.users) * normal_tail_quantile(kSliceTail);
    // Too few users: no number, which speaks against nobody.
    if (!(more.mean - errors * more.error > options.slice_loss_max * before)) continue;
    verdict.against("slice " + slice.name + " is worse: mean absolute error " +
                    in_words(before, 4) + " to " + in_words(before + more.mean, 4));
  }
}

/// Whether nothing is judged because of the options; says so.
bool refuse_options(const GateOptions& options, GateDecision& decision) {
  for (const Problem& problem : options.validate())
    decision.reasons.push_back("the gate's " + problem.key + " " + problem.text);
  return !decision.reasons.empty();
}

/// The median is the best constant by absolute error.
std::vector<float> medians(std::span<const float> labels) {
  std::vector<float> sorted(labels.begin(), labels.end());
  std::sort(sorted.begin(), sorted.end());
  return std::vector<float>(sorted.size(), sorted.empty() ? 0.F : sorted[sorted.size() / 2]);
}

/// What the rows of values are of many or few of, and how much wider than by that the spread is.
struct Whose {
  std::vector<std::uint64_t> owners;  ///< one a row; empty: each row is one of its own
  std::vector<double> gains;          ///< how much less the challenger is off, one a row
  double wider = 1;
  std::string words{};    ///< " by 16 stretches of time"; empty: as ever
  std::string too_few{};  ///< why nothing can be told; empty: it may
};

Whose whose(const GateInput& input, std::span<const float> champion) {
  Whose found{{input.users.begin(), input.users.end()}, {}};
  for (std::size_t row = 0; row < input.labels.size(); ++row)
    found.gains.push_back(absolute_error(champion[row], input.labels[row]) -
                          absolute_error(input.challenger[row], input.labels[row]));
  if (!found.owners.empty() || input.times_s.empty()) return found;
  Stretches stretches(input.times_s, input.stretch_rows_min);
  found.words = " by " + std::to_string(stretches.count) + " stretches of time";
  if (stretches.count < Stretches::kMin) {
    found.too_few =
        "not enough time judges to tell which is better: " + std::to_string(input.labels.size()) +
        " rows, and it takes " + std::to_string(Stretches::kMin) + " stretches of " +
        std::to_string(input.stretch_rows_min);
  } else {
    found.wider = stretches.widening(found.gains);
  }
  found.owners = std::move(stretches.of);
  return found;
}

void judge_error(const GateInput& input,
                 std::span<const float> champion,
                 const Whose& whose,
                 const GateOptions& options,
                 const Stop& stop,
                 GateDecision& decision,
                 Verdict& verdict) {
  if (!whose.too_few.empty()) return verdict.against(whose.too_few);
  const double allowed = options.false_ratio / std::max<double>(input.looks, 1);
  const auto rounds = static_cast<std::size_t>(std::clamp(10 / allowed, kRoundsMin, kRoundsMax));
  decision.bootstrap =
      paired_bootstrap(whose.gains, whose.owners, rounds, input.seed, whose.wider, stop);
  if (!std::isfinite(decision.bootstrap.low)) {
    verdict.against(std::isnan(decision.bootstrap.low)
                        ? "an error is no finite number"
                        : "not enough users judge to tell which is better");
    return;
  }
  const std::string figures =
      "mean absolute error " + in_words(mean_absolute_error(champion, input.labels), 4) + " to " +
      in_words(mean_absolute_error(input.challenger, input.labels), 4) + ", worse in " +
      in_words(100 * decision.bootstrap.worse, 1) + " % of resamples" + whose.words + ", line " +
      in_words(100 * allowed, 1) + " %";
  if (decision.bootstrap.worse < allowed) {
    verdict.in_favour("better: " + figures);
  } else {
    verdict.against("not shown to be better: " + figures);
  }
}

}  // namespace

Problems GateOptions::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  require(false_ratio >= 1e-9 && false_ratio <= .5, "false_ratio", "must lie within 1e-9 and .5");
  require(least > 0 && least <= 1, "least", "must be above 0, up to 1");
  require(positives_min >= 2, "positives_min", "must be 2 at least");
  require(slice_loss_max >= 0, "slice_loss_max", "must be 0 or more");
  require(slice_positives_min >= 2, "slice_positives_min", "must be 2 at least");
  require(latency_us_max > 0, "latency_us_max", "must be above 0");
  require(memory_bytes_max > 0, "memory_bytes_max", "must be above 0");
  require(calibration_error_max >= 0, "calibration_error_max", "must be 0 or more");
  require(calibration_ratio_max >= 0, "calibration_ratio_max", "must be 0 or more");
  return problems;
}

GateDecision judge_classifier(const GateInput& input, const GateOptions& options) {
  LIMINAL_CHECK(input.challenger.size() == input.labels.size());
  LIMINAL_CHECK(input.champion.empty() || input.champion.size() == input.labels.size());
  LIMINAL_CHECK(input.users.empty() || input.users.size() == input.labels.size());
  GateDecision decision;
  if (refuse_options(options, decision)) return decision;
  Verdict verdict;
  const bool first = input.champion.empty();
  decision.test = first ? against_chance(input.challenger, input.labels, input.users)
                        : delong(input.champion, input.challenger, input.labels, input.users);
  const std::size_t positive = positives(input.labels);
  const std::size_t fewest = std::min(positive, input.labels.size() - positive);
  if (static_cast<double>(fewest) < options.positives_min) {
    verdict.against("too few rows to tell: " + std::to_string(positive) + " positives and " +
                    std::to_string(input.labels.size() - positive) + " negatives, " +
                    in_words(options.positives_min, 0) + " of each are needed");
  } else {
    decision.to_tell = first ? std::max(options.least, decision.test.difference) : options.least;
    decision.positives_needed = positives_needed(decision.test, decision.to_tell);
    if (!input.users.empty())
      decision.users_needed = decision.test.users * decision.positives_needed /
                              static_cast<double>(decision.test.positives);
    judge_difference(input, options, decision, verdict);
    if (!first) judge_slices(input, options, verdict);
    if (options.probabilities) judge_calibration(input, options, decision, verdict);
  }
  judge_cost(input, options, verdict);
  std::move(verdict).write(decision);
  return decision;
}

GateDecision judge_regressor(const GateInput& input, const GateOptions& options, const Stop& stop) {
  LIMINAL_CHECK(input.challenger.size() == input.labels.size());
  LIMINAL_CHECK(input.champion.empty() || input.champion.size() == input.labels.size());
  LIMINAL_CHECK(input.users.empty() || input.users.size() == input.labels.size());
  LIMINAL_CHECK(input.times_s.empty() || input.times_s.size() == input.labels.size());
  LIMINAL_CHECK(input.stretch_rows_min > 0);
  GateDecision decision;
  if (refuse_options(options, decision)) return decision;
  Verdict verdict;
  std::vector<float> constant;
  if (input.champion.empty()) constant = medians(input.labels);
  const std::span<const float> champion = input.champion.empty() ? constant : input.champion;
  if (static_cast<double>(input.labels.size()) < options.positives_min) {
    verdict.against("too few rows to tell: " + std::to_string(input.labels.size()) + ", " +
                    in_words(options.positives_min, 0) + " are needed");
  } else {
    const Whose by = whose(input, champion);
    judge_error(input, champion, by, options, stop, decision, verdict);
    judge_value_slices(input, champion, by.owners, by.wider, options, verdict);
  }
  judge_cost(input, options, verdict);
  std::move(verdict).write(decision);
  return decision;
}

}  // namespace liminal::learn
