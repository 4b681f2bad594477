#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/random.hpp"
#include "core/learn/blend.hpp"
#include "core/learn/cost.hpp"
#include "core/learn/fit.hpp"
#include "core/learn/material.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {

/// What a search makes large. Errors are negated.
enum class Objective : std::uint8_t {
  kRocAuc,
  kAveragePrecision,
  kLogLoss,
  kSquaredError,  ///< root of the mean square
  kPinball,       ///< at the loss's level
};
[[nodiscard]] Measure measure_of(Objective objective, double level);
[[nodiscard]] std::string_view name(Objective objective);

/// How a search is limited.
struct SearchOptions {
  Objective objective = Objective::kRocAuc;
  double budget_s = 60;        ///< elapsed time; not used when fits are counted
  std::uint32_t fits_max = 0;  ///< above 0: so many fits and no time, the same result every time
  std::uint64_t seed = 1;
  std::uint32_t workers = 2;            ///< fits that run at once, which plans reckon with
  std::size_t folds_rows_max = 12'000;  ///< up to here five folds, above a fifth is held out
  Cost champion{5, 8. * 1024 * 1024};   ///< what may be asked for every message
  bool stop_early = true;
  /// Of the rows, held out of the whole search for the figures and intervals of what comes out; 0
  /// when whoever asks has rows of his own for that.
  double fresh_ratio = .2;
  /// The last so many rows of the table are learnt from by every fit and judge nothing: they
  /// choose, calibrate and stop none. For rows that are made up.
  std::size_t rows_only_taught = 0;

  [[nodiscard]] bool counted() const { return fits_max > 0; }
  [[nodiscard]] Problems validate() const;
};

/// One fit of a candidate and how it did.
struct Attempt {
  Fit fit;
  double score = 0;  ///< by the objective; NaN when it is not defined
  double cost_s = 0;
};

/// A recipe that is tried on the splits one after the other.
struct Candidate {
  Recipe recipe;
  std::vector<std::optional<Attempt>> attempts;  ///< one a split
  std::optional<Attempt> refit;                  ///< on all rows
  /// Splits are ever more of the same rows, and only the last one counts; else all count alike.
  bool rungs = false;
  bool forgotten = false;  ///< its models and margins were let go, only figures are left
  Cost cost_before{};      ///< what `cost` was when they were let go

  [[nodiscard]] bool boosted() const { return std::holds_alternative<BoosterRecipe>(recipe); }
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] bool whole() const;  ///< tried on all splits that count
  /// Mean over the splits that count; minus infinity without any.
  [[nodiscard]] double score() const;
  [[nodiscard]] double cost_s() const;  ///< of all its fits
  /// Rounds that a fit on all rows should have: the mean of the best ones and a tenth more.
  [[nodiscard]] std::uint32_t refit_rounds() const;
  [[nodiscard]] Cost cost() const;  ///< mean of its fits that count
  [[nodiscard]] Cost refit_cost() const {
    return 1.1 * cost();
  }  ///< what one on all rows is reckoned
  /// Lets go of what takes memory; the figures stay.
  void forget();

 private:
  template <class Value>
  [[nodiscard]] std::optional<double> mean(Value value) const;
};

/// What a plan wants fitted next.
struct Request {
  static constexpr std::uint32_t kRefit = 0xffffffffU;
  std::size_t candidate = 0;
  std::uint32_t split = 0;
  double end = 1;  ///< share of the budget at which it is not begun any more, and stopped
  double cap = std::numeric_limits<double>::infinity();  ///< share of the budget it may take
  double least = 0;  ///< share of the budget it may take whatever `end` says
};

/// How much of the budget is gone.
struct Spent {
  double ratio = 0;  ///< of the budget, in time or in fits
  double elapsed_s = 0;
  std::uint32_t fits = 0;
};

/// The rows of one split: trained on one set, judged on another.
struct Split {
  std::uint32_t train = 0, valid = 0;
  std::vector<float> labels;  ///< of `valid`
};

/// The models to blend, with their margins on rows that none was fitted to.
struct Pool {
  std::vector<std::size_t> candidates;
  MarginTable margins;
  std::vector<float> labels;
  std::vector<std::uint32_t> rows;  ///< of the table
  std::vector<double> weights;      ///< one a candidate, sum 1
};

/// What plans and the search share.
struct Ledger {
  const Material* material = nullptr;
  SearchOptions options;
  Measure measure;
  std::vector<Split> splits;
  bool rungs = false;                ///< see `Candidate`
  std::uint32_t all = 0;             ///< the set of all rows that are searched with
  std::vector<std::uint32_t> fresh;  ///< rows of the table that are not
  std::vector<Candidate> candidates;
  Random random{1};

  std::size_t add(Recipe recipe);
  /// Candidates tried on `split`, the best first; equal ones in the order they were added.
  [[nodiscard]] std::vector<std::size_t> ranked(std::uint32_t split) const;
  [[nodiscard]] std::vector<std::size_t> sorted(std::vector<std::size_t> which) const;
  /// Of candidates of every kind that were tried on all splits that count, the best that may be
  /// asked for every message.
  [[nodiscard]] std::optional<std::size_t> best_within_budget() const {
    return best_within(options.champion);
  }
  [[nodiscard]] std::optional<std::size_t> best_within(const Cost& budget) const;
  /// What may be blended, without weights yet: the best boosted candidates, so many at most, the
  /// champion, and all of other kinds that were tried on all splits that count.
  [[nodiscard]] Pool pool(std::size_t boosted_max, std::optional<std::size_t> champion) const;
  /// What is left of the budget in seconds (infinite when fits are counted), or in fits.
  [[nodiscard]] double left_s(const Spent& now) const;
  [[nodiscard]] std::uint32_t left_fits(const Spent& now) const;
  /// Standard error of a score on these rows, from ten interleaved parts of them.
  [[nodiscard]] double standard_error(std::span<const float> margins,
                                      std::span<const float> labels) const;
};

/// Says when going on is not worth it: for three tenths of the budget the score rose by less than a
/// quarter of its standard error.
class Patience {
 public:
  [[nodiscard]] bool lost(double ratio, double score, double standard_error);

 private:
  double since_ = -1;
  double score_ = 0;
};

}  // namespace liminal::learn
