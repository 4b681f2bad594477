#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"

namespace liminal::learn {

/// Whose rows are and when they were, each one a row or empty: not known.
struct Order {
  std::span<const std::uint64_t> groups;
  std::span<const double> times_s;
};

/// How many rows say of a mean what one independent row says: 1 or more. Rows of one group are
/// alike, and so are rows of one time. `centred` are the rows' deviations from their mean.
///
/// Source: the variance of the mean by clusters (Liang and Zeger 1986) and by 25 batches in order
/// of time (Conway 1963), over that of independent rows; the larger of both. Deviation: what the
/// batches say counts only beyond what chance gives independent rows once in a hundred, and then
/// half as much again, because 25 batches tell a variance no better.
[[nodiscard]] double dependence_of(std::span<const double> centred, const Order& order);

/// The distribution of one feature or score where a model was trained: nineteen bins of about equal
/// weight, and one each for what was missing, below everything and above everything.
class Reference {
 public:
  static constexpr std::size_t kBinsMax = 22;

  Reference() = default;
  /// Learns the bins from values (infinite ones lie below or above all bins); none gives a
  /// reference that says nothing.
  [[nodiscard]] static Reference learn(std::span<const float> values, const Order& order = {});

  [[nodiscard]] std::size_t bins() const { return shares_.size(); }
  /// The bin of a value, below `bins()`.
  [[nodiscard]] std::size_t bin(float value) const;
  [[nodiscard]] double share(std::size_t bin) const { return shares_[bin]; }
  /// Where a bin lies among the values, by the middle of its ranks: 0–1, mean .5.
  [[nodiscard]] double rank(std::size_t bin) const { return ranks_[bin]; }
  /// Deviation of `rank` over the reference: 12^−½ for a continuous one; 0 when it has one value.
  [[nodiscard]] double rank_deviation() const { return deviation_; }
  [[nodiscard]] double rows() const { return rows_; }  ///< that it was learnt from
  /// `dependence_of` their ranks.
  [[nodiscard]] double dependence() const { return dependence_; }
  /// Where the bins of numbers begin, but for the first: the bin b ≥ 1 is [edge b − 2, edge b − 1).
  [[nodiscard]] std::span<const float> edges() const { return edges_; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  void work_out();

  std::vector<float> edges_;    ///< where bins of numbers begin, but for the first
  std::vector<double> shares_;  ///< the first is of the missing
  std::vector<double> ranks_;
  double deviation_ = 0;
  double rows_ = 0;
  double dependence_ = 1;
};

/// The population stability index Σ (q − p)·ln(q/p) of counts against the reference's shares; half
/// a row is added to each bin. Below .1 is calm, above .2 a change, by custom. 0 without rows.
[[nodiscard]] double stability(const Reference& reference, std::span<const double> counts);
/// The same for values.
[[nodiscard]] double stability(const Reference& reference, std::span<const float> values);

/// What the index of a sample of `now` rows against a reference of `before` rows exceeds with a
/// chance of `alpha` (within (0, .5]) when both come from one distribution.
///
/// Source: the index is then about chi-square of bins − 1 degrees, times 1/before + 1/now (Yurdakul
/// 2018); quantiles by Wilson and Hilferty 1931.
[[nodiscard]] double stability_by_chance(std::size_t bins, double before, double now, double alpha);

/// Whether one feature or calibrated score still looks as it did, row by row. Two statistics, both
/// without assumptions on the distribution:
/// - PSI over the recent rows (weights fall by 1/e in the window), for changes of shape;
/// - a two-sided CUSUM of ranks in the reference, for small shifts that last.
///
/// Guarantee: on independent rows of the reference's own distribution the CUSUM alarms about once
/// in 20 million rows; a lasting shift by half a deviation is told in some 130. Where rows depend
/// on each other (`Reference::dependence`), windows, lines and delays are that many times as long;
/// the slack grows by two standard errors of what the reference knows of its own mean. A reference
/// of fewer than 20 independent rows says nothing. Memory: about 700 bytes. Cost: some 10 ns a row.
///
/// Source: Page 1954; ranks after the probability integral transform, so the line holds for any
/// continuous distribution; that it is proportional to the variance of the sums: Siegmund 1985,
/// section 10.2.
class Drift {
 public:
  struct Options {
    double window_rows = 2000;  ///< independent ones, as the others
    double stability_max = .2;
    double cusum_slack = .25;  ///< in deviations a row: half of the shift to be found soonest
    double cusum_max = 30;

    [[nodiscard]] Problems validate() const;
  };

  /// `options` must be valid.
  explicit Drift(Reference reference) : Drift(std::move(reference), Options{}) {}
  Drift(Reference reference, Options options);

  void observe(float value);

  /// PSI of the recent rows.
  [[nodiscard]] double stability() const;
  /// What PSI must exceed; infinite while the rows are too few for it.
  [[nodiscard]] double stability_line() const;
  /// The larger of the two sums.
  [[nodiscard]] double cusum() const { return above_ > below_ ? above_ : below_; }
  [[nodiscard]] double cusum_line() const { return options_.cusum_max * reference_.dependence(); }
  [[nodiscard]] double rows() const { return rows_; }  ///< weight of the recent rows
  /// The larger of both statistics in parts of its line: 1 is the alarm line.
  [[nodiscard]] double score() const;
  [[nodiscard]] bool drifted() const { return score() > 1; }
  /// Forgets the recent rows, after a new model was trained on them or a reason was found.
  void calm();

  [[nodiscard]] const Reference& reference() const { return reference_; }
  /// Weight of the recent rows in each bin of the reference.
  [[nodiscard]] std::span<const double> counts() const { return counts_; }

  /// The reference is part of it.
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  void plan();

  Reference reference_;
  Options options_;
  double window_ = 0;  ///< rows
  double slack_ = 0;
  std::vector<double> counts_;  ///< empty: says nothing
  double rows_ = 0;
  double above_ = 0, below_ = 0;
};

}  // namespace liminal::learn
