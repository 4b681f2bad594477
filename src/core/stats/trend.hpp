#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// Where a value is heading, from its means over ten minutes of up to three days, and when it gets
/// to a limit: the signal of maintenance for disks, leaks and certificates.
///
/// A gap of more than ten minutes begins anew. So does, of a value that is renewed now and then (a
/// disk is cleaned, a certificate replaced), a change away from its limit that is sixteen times as
/// large as changes are on average.
///
/// Cost: some ns a value, 1 µs every ten minutes; 1 µs a passage. Memory: 1.8 KB.
class Trend {
 public:
  enum class Side : std::uint8_t { kAbove, kBelow };  ///< where a limit lies

  /// `renewed_from`: the value is renewed, away from a limit on that side.
  explicit Trend(std::optional<Side> renewed_from = {}) : renewed_from_(renewed_from) {}

  /// A value, finite, at a minute that never goes back. Beyond ±1e30 it counts as that.
  void observe(std::int64_t minute, double value);

  struct Passage {
    std::optional<double> expected_s;  ///< none: it does not get there for certain
    double probability = 0;            ///< that it is reached within the time asked about
  };
  /// When a limit is reached, as a random walk with drift reaches it, with what the drift's own
  /// uncertainty adds. None before two hours of it are known.
  ///
  /// Source: first passage of Brownian motion with drift (inverse Gaussian), Chhikara and Folks,
  /// 1989.
  [[nodiscard]] std::optional<Passage> passage(double limit,
                                               double within_s,
                                               Side side = Side::kAbove) const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  static constexpr std::size_t kBlocks = 432;  ///< three days
  static constexpr std::int64_t kBlockMinutes = 10;

  [[nodiscard]] double at(std::uint32_t ago) const;
  void close_block(std::int64_t next);
  [[nodiscard]] bool is_renewal(double mean) const;

  std::optional<Side> renewed_from_;
  std::array<float, kBlocks> blocks_{};  ///< means of ten minutes, of block number n at n mod size
  std::uint32_t blocks_known_ = 0;       ///< without a gap, up to the last
  std::int64_t block_ = 0;               ///< the open one
  double block_sum_ = 0;
  std::uint32_t block_count_ = 0;
};

/// What must not be reached, from below or from above.
struct Limit {
  double value = 0;
  Trend::Side side = Trend::Side::kAbove;
  friend bool operator==(const Limit&, const Limit&) = default;
};

}  // namespace liminal::stats
