#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/codec.hpp"
#include "core/detect/common_contents.hpp"
#include "core/detect/habits.hpp"

namespace liminal::detect {

/// Number, sum and squared deviations of some values.
struct Moments {
  double count = 0, sum = 0, squares = 0;

  /// `deviation` from whatever the squares are about.
  void add(double value, double deviation) {
    count += 1;
    sum += value;
    squares += deviation * deviation;
  }
  void add(const Moments& other) {
    count += other.count;
    sum += other.sum;
    squares += other.squares;
  }
};

/// Steps of the size histogram: fifths of a nat of log(bytes), from 1 B to 1.8 MB and more.
inline constexpr std::size_t kSizeSteps = 72;

/// The statistics that the population as a whole can exceed: the four windows, the rate
/// CUSUM, and the jump of who sends a lot anyway.
inline constexpr std::size_t kRateCusum = kWindows, kRateJump = kWindows + 1;
inline constexpr std::size_t kRateStatistics = kWindows + 2;

/// What one young user did at one address, for the rings.
struct AddressNote {
  std::uint64_t address = 0, user = 0;
  float log_bytes = -1;       ///< negative: no message
  std::uint32_t content = 0;  ///< 0: not known
  bool first = false;         ///< the user's first appearance
};

/// What one shard learnt within a second about what spans users. The population and the rings learn
/// only from these, merged in the shards' order, so that answers do not depend on the number of
/// threads. An input of the engine like any other: saved in its journal.
/// Memory: at most 1 KiB, 40 KiB of notes (`kNotesMax`; further ones are dropped and counted) and
/// half a KiB of contents (`kContentsMax` of a second; of further ones others will tell).
struct Contribution {
  static constexpr std::size_t kNotesMax = 1024, kContentsMax = 64;

  // Of ordinary behaviour, each user at most once in half a window, each value clamped.
  std::array<Moments, kWindows> counts{};  ///< decayed counts less one; squares about the mean
  std::array<Moments, kWindows> excess{};  ///< (count/expected - 1)² of users with a reference
  Moments log_bytes, log_bytes_within;     ///< the latter about the user's own mean
  Moments gap_spread;                      ///< logarithm of it
  Moments errors, repeats, brief_repeats;  ///< 0 or 1; repeats of long and of brief contents
  std::array<std::uint32_t, kSizeSteps> sizes{};

  // Of the present, for what strikes all users at once.
  double messages = 0;                          ///< plain
  double light_messages = 0, light_errors = 0;  ///< who sends a lot counts less
  double rejoins = 0;                           ///< users that came back, each about once a minute
  double active = 0;                            ///< users, each once in two minutes
  std::array<double, kRateStatistics> over{};   ///< of these, who exceeds a statistic
  double repeating = 0;                         ///< and who repeats contents beyond the alarm line

  std::vector<RepeatedContent> repeated;  ///< each once
  std::vector<AddressNote> notes;
  std::uint64_t notes_dropped = 0;

  [[nodiscard]] bool empty() const;
  void note(const AddressNote& note);
  void note_repeated(std::uint16_t content);  ///< by one user more
  void clear();                               ///< keeps the lists' capacity
  void save(Writer& out) const;
  void load(Reader& in);
};

}  // namespace liminal::detect
