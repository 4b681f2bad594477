#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/codec.hpp"
#include "core/scaling/load_history.hpp"
#include "core/scaling/peak_residuals.hpp"
#include "core/scaling/ridge.hpp"

namespace liminal::scaling {

/// Learns one service's load per minute and foretells quantiles of the highest load in the next
/// `horizon` minutes: what must be there when an instance ordered now is ready.
///
/// A ridge regression foretells the growth of the peak over the level, a second one the size of
/// its error; residuals in units of that size, kept by what was foretold, give the quantiles. All
/// of it forgets with a memory of four days. Coefficients are solved hourly, first after twelve
/// hours (the error's after a day); before an hour of residuals the model knows the level only.
///
/// Guarantees: loads from 0 to 1e15 give finite quantiles that do not fall when the probability of
/// exceeding them does; the same minutes give the same bits everywhere; a minute is scored before
/// it is learnt.
/// Cost: about 3 µs a minute, 100 µs once an hour. Memory: at most 240 KB.
///
/// Source: our own study (docs/benchmarks.md has method and figures).
class LoadModel {
 public:
  static constexpr std::uint32_t kHorizonMax = 240;
  /// A gap longer than this in the history starts it anew.
  static constexpr std::int64_t kGapMax = LoadHistory::kWeek;
  static constexpr double kLoadMax = 1e15;

  /// `horizon` in minutes, 1 to kHorizonMax.
  explicit LoadModel(std::uint32_t horizon = 10);

  /// The mean load of a minute, in any unit per any time, 0 to kLoadMax; `minute` counts from the
  /// epoch. Minutes that are left out are missing. False, and nothing is learnt, when the minute
  /// is not later than the last.
  bool step(std::int64_t minute, double load);

  /// Quantiles may be asked for: an hour of residuals is known.
  [[nodiscard]] bool ready() const { return residuals_.ready(); }
  /// The load that the highest of the next `horizon` minutes exceeds with at most `probability`; 0
  /// when that is as good as none.
  [[nodiscard]] double peak(double probability) const;
  /// The foretold centre and error scale of the peak's ℓ.
  [[nodiscard]] double centre() const { return history_.level() + mean_; }
  [[nodiscard]] double scale() const { return scale_; }

  [[nodiscard]] const LoadHistory& history() const { return history_; }
  [[nodiscard]] std::uint32_t horizon() const { return history_.horizon(); }

  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] std::uint64_t state_hash() const;
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  static constexpr std::size_t kColumns = LoadHistory::kFeatures;
  using ScaleFeatures = std::array<float, kColumns + 1>;
  /// What was foretold, until it is known how it came.
  struct Pending {
    LoadHistory::Features features;
    double mean, scale, recent_error;
    bool known;
  };

  void miss(std::int64_t minute);
  void learn();
  void keep_time(std::int64_t minute);
  void foretell();
  [[nodiscard]] static ScaleFeatures scale_features(const LoadHistory::Features& features,
                                                    double recent_error);

  LoadHistory history_;
  PeakResiduals residuals_;
  Ridge growth_{kColumns};
  Ridge error_{kColumns + 1};
  std::vector<Pending> pending_;  ///< of minute number n at n mod (horizon + 1)
  bool solved_ = false, error_solved_ = false;
  double recent_error_ = .1;  ///< decayed mean of |residual|
  double mean_ = 0, scale_ = .15;
};

}  // namespace liminal::scaling
