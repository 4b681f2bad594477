#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/learn/fit.hpp"
#include "core/learn/ledger.hpp"
#include "core/learn/outcome.hpp"
#include "core/learn/parts.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// AutoML as a state machine without clock or thread: it says which model is to be fitted next and
/// is told how that went. Whoever runs it may carry out several fits at once, by `run_fit`.
///
///     Search search(std::move(table), loss, options);
///     while (!search.done()) {
///       if (auto job = search.next(elapsed)) {
///         auto fit = run_fit(search.material(), *job, booster, stop);
///         search.told(job->id, std::move(fit), cost_s, elapsed);
///       }
///     }
///     Result<Outcome> outcome = search.finish();
///
/// What is found is reduced in the order in which fits were asked for, whatever the order in which
/// they end. Guarantee: with `fits_max` the same table, seed and options give the same models to
/// the bit, with any number of workers; with a time budget that depends on how fast fits are.
///
/// With times the split is by time, and rows are weighted by age (half-life: a quarter of the time)
/// when their features drift; with groups it is by group (`Parts`); else classes are spread evenly.
/// A part of the rows (`fresh_ratio`, parted likewise) is left out of everything, the last fits
/// too: the outcome's figures and intervals are of those.
/// Memory: the table, what it is encoded to, and the models of some 20 candidates.
///
/// Source: portfolio and halving as Feurer et al. 2022 (Auto-sklearn 2.0); blending as Caruana et
/// al. 2004; constants measured on ten tables (bench/automl).
class Search {
 public:
  /// Rows of each class (or half of all rows, for values) below which nothing is trained.
  static constexpr std::size_t kRowsMin = kSearchedMin;
  /// How many more rows of the rarer class (or rows, for values) are needed; 0: enough.
  [[nodiscard]] static std::size_t rows_missing(const Table& table, const Loss& loss);

  /// `table` must be valid (`Table::validate`) and have no rows missing. With `problems` it is done
  /// at once, without an outcome.
  Search(Table table, Loss loss, SearchOptions options);
  ~Search();
  Search(Search&&) noexcept;
  Search& operator=(Search&&) noexcept;

  /// What is wrong with the options, or why the rows can not be parted as times and groups say.
  [[nodiscard]] const Problems& problems() const;

  /// What fits are made of; its place in memory stays.
  [[nodiscard]] const Material& material() const;

  /// The next fit; none while those under way must end first, or when it is done. `elapsed_s` since
  /// the begin, never falling.
  [[nodiscard]] std::optional<FitJob> next(double elapsed_s);
  /// How a fit went. A failed one is as one that was never tried.
  void told(std::uint64_t id, Result<Fit> fit, double cost_s, double elapsed_s);
  [[nodiscard]] bool done() const;
  /// Asks for nothing more. `finish` then says what there is, if anything.
  void cancel();

  [[nodiscard]] double progress(double elapsed_s) const;  ///< 0–1
  [[nodiscard]] std::vector<LeaderboardLine> leaderboard() const;
  [[nodiscard]] Validation validation() const;

  /// The models. `kUnavailable` when none was fitted on all splits.
  [[nodiscard]] Result<Outcome> finish() const;
  /// The same under another budget for the path of messages, of what was fitted and is still kept.
  [[nodiscard]] Result<Outcome> finish(const Cost& budget) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace liminal::learn
