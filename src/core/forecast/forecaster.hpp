#pragma once

#include <optional>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/forecast/model.hpp"

namespace liminal::forecast {

struct Options {
  /// Steps ahead that can be asked, 1 to 10,000. The back-test tests just this horizon.
  std::uint32_t horizon = 48;
  /// After how many points the series repeats itself; none: found by test at each refit.
  std::optional<Seasons> seasons;
  /// Points kept, the newest; 64 to 100,000. A refit's cost is linear in them.
  std::uint32_t points_max = 20'000;
  ErrorMeasure measure = ErrorMeasure::kRelative;

  [[nodiscard]] Problems validate() const;
};

/// What comes, step by step.
struct Forecast {
  std::vector<double> mean;
  std::vector<std::vector<double>> quantiles;  ///< one a level asked, in its order; by step
};

/// Forecasts one series of evenly spaced points with quantiles: nine cheap members, weighted by
/// how each did on this very series, and intervals from how far their combination was off.
///
/// `learn` adds a point; `refit` fits and tests the members anew, about once a season or block;
/// `forecast` goes on from all points learnt, also those since the last refit. A missing point is
/// NaN (infinity too) and is learnt as missing: time goes on.
///
/// Guarantees: the same points, options and calls give the same bits everywhere; after `save` and
/// `load` too. Forecasts are finite; quantiles rise with their level; a series that never was below
/// zero gets nothing below zero; scaling a series by a power of two scales its forecast exactly.
/// Cost: `learn` 10 ns; `refit` 5 ms for 800 points with a week, 105 ms for 20,000 of five minutes;
/// `forecast` 50 µs for 48 steps.
/// Memory: 8 bytes a point, and about 80 KB of model.
/// Thread rule: one owner; a refit belongs on a pool, on a copy.
///
/// Source: our own study (docs/benchmarks.md has method and figures); combination by back-test
/// after Bates and Granger, "The combination of forecasts", 1969.
class Forecaster {
 public:
  /// Fewer values than this say nothing of what comes.
  static constexpr std::size_t kValuesMin = 8;
  /// What is beyond is taken for missing: squares of scaled values must stay finite.
  static constexpr double kValueMax = 1e300;

  explicit Forecaster(const Options& options = {});

  void learn(double value);

  /// Fails with `kMissing` while fewer than `kValuesMin` values were learnt (position: how many).
  Result<void> refit();

  /// Whether there are as many new points as a refit is worth (Plan::recent), or it is needed at
  /// all.
  [[nodiscard]] bool refit_due() const;

  /// Fails with `kUnavailable` before the first refit, `kOutOfRange` for a horizon of 0 or beyond
  /// the options' and for a level that is not inside (0, 1) (position: which one).
  [[nodiscard]] Result<Forecast> forecast(std::uint32_t horizon,
                                          std::span<const double> levels = {}) const;

  /// Who speaks with which weight, and how each did. None before the first refit.
  [[nodiscard]] const std::optional<Model>& model() const { return model_; }
  [[nodiscard]] const Options& options() const { return options_; }
  /// Points learnt, missing ones counted.
  [[nodiscard]] std::uint64_t points() const { return first_ + values_.size(); }
  /// The newest points that are kept, missing ones as NaN.
  [[nodiscard]] std::span<const double> values() const { return values_; }

  /// Cheap: the model's part is known since it was fitted or loaded.
  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] std::uint64_t state_hash() const;

  /// Format version 2; version 1, whose intervals all had one scale, is read still. Options are not
  /// part of it: `load` into a forecaster of the same options. It fails and leaves the forecaster
  /// unchanged when the bytes make no sense.
  void save(Writer& out) const;
  Result<void> load(Reader& in);

 private:
  void measure_model();

  Options options_;
  std::uint64_t first_ = 0;  ///< absolute number of values_[0]
  std::vector<double> values_;
  double low_ = 0, high_ = 0;  ///< of all values since the last refit's history began
  std::size_t known_ = 0;      ///< values among the points kept
  std::optional<Model> model_;
  std::size_t model_bytes_ = 0;
};

}  // namespace liminal::forecast
