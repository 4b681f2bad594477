#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// Where a value is heading, and whether it gets to a limit: the signal of maintenance for disks,
/// leaks and certificates. It knows its means over ten minutes of up to three days, and how far
/// those of each day came for three weeks.
///
/// What goes to a limit is told from what goes up and down: a trend is what has moved from each
/// time of day to the same of the next (from two days on), what runs along a straight line from its
/// beginning on (before), or what has left, along one, all that was seen. The rest reaches what it
/// has not reached as days reach further than all days before: of n + 7 days alike, the highest is
/// in the last 7 with probability 7 / (n + 7), and what lies beyond has a heavy tail.
///
/// A gap of more than ten minutes begins anew, but for what the days came to. Of a value that is
/// renewed now and then (a certificate is replaced), a change away from its limit that is sixteen
/// times as large as changes are on average, to where it never was, forgets all. What comes back to
/// where it was (a disk that is cleaned each night, a garbage collector) forgets nothing.
///
/// Cost: some ns a value, 1 µs every ten minutes; 20 µs a passage. Memory: 2.0 KB.
///
/// Source: ranks of records and generalised Pareto excesses (Coles, "An Introduction to Statistical
/// Modeling of Extreme Values", 2001, ch. 4); median of differences over a season (Hirsch, Slack
/// and Smith, 1982). Its constants were found on one half of NAB's series; of two the other was
/// seen as well (bench/limits).
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
  /// When its mean over ten minutes reaches a limit. None before two hours of it are known.
  [[nodiscard]] std::optional<Passage> passage(double limit,
                                               double within_s,
                                               Side side = Side::kAbove) const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  /// As it was saved before it knew days.
  [[nodiscard]] Result<void> load_blocks(Reader& in);

 private:
  static constexpr std::size_t kBlocks = 432;  ///< three days
  static constexpr std::int64_t kBlockMinutes = 10;
  static constexpr std::uint32_t kBlocksOfDay = 144, kDays = 21;

  struct Range {
    float low = 0, high = 0;
    void add(float value);
    /// The end that lies on a side, told so that more is nearer to a limit there.
    [[nodiscard]] double towards(Side side) const;
  };

  [[nodiscard]] double at(std::uint32_t ago) const;
  void close_block(std::int64_t next);
  void take(float mean);
  void forget();
  [[nodiscard]] bool is_jump_away(double mean) const;
  [[nodiscard]] bool is_beyond(double mean) const;
  [[nodiscard]] Range range() const;
  /// How far each day came, of those that ended at least so many blocks ago.
  void add_days(Side side, std::uint32_t ago_min, std::vector<double>& out) const;

  std::optional<Side> renewed_from_;
  std::array<float, kBlocks> blocks_{};  ///< means of ten minutes, of block number n at n mod size
  std::uint32_t blocks_known_ = 0;       ///< without a gap, up to the last
  std::int64_t block_ = 0;               ///< the open one
  double block_sum_ = 0;
  std::uint32_t block_count_ = 0;
  std::array<Range, kDays> days_{};  ///< of day number n at n mod size
  std::uint32_t days_known_ = 0;
  Range day_;  ///< the open one
  std::uint32_t day_blocks_ = 0;
  bool jumped_ = false;  ///< in the last block
  Range before_;         ///< all that was seen before it did
};

/// What must not be reached, from below or from above.
struct Limit {
  double value = 0;
  Trend::Side side = Trend::Side::kAbove;
  friend bool operator==(const Limit&, const Limit&) = default;
};

}  // namespace liminal::stats
