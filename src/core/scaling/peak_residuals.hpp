#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::scaling {

/// How far peaks were from what was foretold, in units of the foretold scale: decayed histograms
/// in 16 bins of a key (what was foretold, mean plus scale), each mixed with the one over all.
///
/// Bins are cut at quantiles of the week's keys, denser above, and cut again every twelve hours
/// from the residuals kept.
///
/// Cost: some ns an observation, 0.3 µs a quantile, 1 ms a cut. Memory: 4 bytes a minute for eight
/// days (46 KB) and 27 KB.
class PeakResiduals {
 public:
  static constexpr std::size_t kBins = 16;
  static constexpr std::uint32_t kKept = 8 * 1440;
  /// Before that many residuals no quantile means anything.
  static constexpr double kWeightMin = 60;

  /// A minute's key. Every minute has an entry: give a missing one `skip`.
  void expect(double key);
  void skip();
  /// The residual of the minute `ago` minutes before the last expected one.
  void observe(std::uint32_t ago, double residual);

  /// Lets everything count for less.
  void decay(double factor);
  /// Cuts the bins anew. `decay_per_minute` is what a minute's age costs.
  void cut(double decay_per_minute);

  /// The smallest residual (to a cell) that is exceeded with at most this probability, at a key.
  [[nodiscard]] double upper(double key, double probability) const;
  [[nodiscard]] bool ready() const { return total_ >= kWeightMin; }
  [[nodiscard]] double weight() const { return total_; }

  [[nodiscard]] std::size_t memory_bytes() const;
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  static constexpr std::size_t kCells = 400;
  static constexpr double kLow = -6, kHigh = 18, kStep = (kHigh - kLow) / kCells;
  using Histogram = std::array<float, kCells>;
  struct Kept {
    std::uint16_t key;   ///< on a grid; kMissing: none
    std::uint16_t cell;  ///< kMissing: not known yet
  };
  static constexpr std::uint16_t kMissing = 0xffff;

  [[nodiscard]] static std::uint16_t on_grid(double key);
  [[nodiscard]] std::size_t bin(std::uint16_t key) const;

  std::uint64_t count_ = 0;
  std::vector<Kept> kept_;  ///< of minute number n at n mod kKept
  std::array<std::uint16_t, kBins - 1> edges_{};
  std::vector<Histogram> bins_{kBins};
  std::array<double, kBins> weights_{};
  Histogram all_{};
  double total_ = 0;
};

}  // namespace liminal::scaling
