#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace liminal::novelty {

/// Which levels of one axis were seen lately: 192 cells in two horizons, short and long, each kept
/// in two generations that are swapped. That is the forgetting: a level is remembered for one to
/// two horizons after it was last seen.
///
/// A view over twelve words that its owner stores, so that a detector can use them for its warm-up
/// points before there are levels. Cost: a few ns.
class Occupancy {
 public:
  static constexpr int kCells = 192;
  static constexpr std::size_t kWords = 12;
  /// Distances are told in cells divided by the resolution, at most this much.
  static constexpr float kGapMax = 3;

  explicit Occupancy(std::span<std::uint64_t, kWords> words) : words_(words) {}

  struct Gaps {
    float short_term = 0;
    float long_term = 0;
  };
  /// Distance from `cell` to the nearest one seen, in units of `resolution` cells. Beyond the ends
  /// the way back to the end is added.
  [[nodiscard]] Gaps gaps(int cell, float resolution) const;

  /// How many levels the long horizon remembers.
  [[nodiscard]] int levels() const;

  /// Counts a level as seen; beyond the ends, at the end.
  void mark(int cell);

  void swap_short() { swap(0); }
  void swap_long() { swap(6); }

  /// Moves every occupied cell to where `map` says, in all generations.
  template <class Map>
  void remap(Map&& map) {
    for (std::size_t generation = 0; generation < 4; ++generation) {
      std::array<std::uint64_t, 3> moved{};
      for (int cell = 0; cell < kCells; ++cell) {
        if ((words_[generation * 3 + word(cell)] & bit(cell)) == 0) continue;
        const int to = clamp(map(cell));
        moved[word(to)] |= bit(to);
      }
      for (std::size_t i = 0; i < 3; ++i) words_[generation * 3 + i] = moved[i];
    }
  }

  struct Run {
    int low = 0;
    int high = -1;  ///< below `low` when nothing is occupied
  };
  /// The occupied stretch of the long horizon nearest to `cell`; holes of up to `hole_max` cells
  /// belong to it.
  [[nodiscard]] Run nearest_run(int cell, int hole_max) const;

 private:
  using Row = std::array<std::uint64_t, 3>;
  [[nodiscard]] static int clamp(int cell) {
    return cell < 0 ? 0 : cell >= kCells ? kCells - 1 : cell;
  }
  [[nodiscard]] static std::size_t word(int cell) { return static_cast<std::size_t>(cell) >> 6; }
  [[nodiscard]] static std::uint64_t bit(int cell) {
    return std::uint64_t{1} << (static_cast<unsigned>(cell) & 63U);
  }
  [[nodiscard]] Row seen(std::size_t first_word) const;
  void swap(std::size_t first_word);

  /// Short current, short previous, long current, long previous; three words each.
  std::span<std::uint64_t, kWords> words_;
};

}  // namespace liminal::novelty
