#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::stats {

/// Finds what occurs most often, with `capacity` counters however many different things occur.
///
/// Guarantee: with N the sum of all counts, everything that occurred more than N / capacity times
/// is among the counted; the true count of a counted thing is at least `count − error` and at most
/// `count`; `error` ≤ N / capacity; a thing that is not counted occurred at most `least()` times.
/// Merging adds the errors: the bounds hold for the sum of both N.
///
/// `halve` forgets: it halves N and all bounds (rounding counts up and their lower bounds down),
/// and drops what is left of one or two occurrences while there is room.
///
/// Memory: about 60 bytes a counter and its text. Cost: `add` of a counted thing about 5 ns, of
/// another O(capacity).
///
/// Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in
/// data streams", ICDT 2005; merging: Agarwal et al., "Mergeable summaries", PODS 2012.
class SpaceSaving {
 public:
  struct Counter {
    std::uint64_t hash = 0;
    std::string text;
    std::uint64_t count = 0;
    std::uint64_t error = 0;
    friend bool operator==(const Counter&, const Counter&) = default;
  };

  static constexpr std::size_t kCapacityMax = 1024;

  /// 1 ≤ capacity ≤ kCapacityMax.
  explicit SpaceSaving(std::size_t capacity);

  void add(std::uint64_t hash, std::string_view text, std::uint64_t amount = 1);
  void merge(const SpaceSaving& other);
  void halve();

  /// Most frequent first; of equal ones the one with the smaller hash.
  [[nodiscard]] std::vector<Counter> top(std::size_t limit) const;
  /// The largest possible count of what is not counted.
  [[nodiscard]] std::uint64_t least() const;
  [[nodiscard]] std::size_t size() const { return counters_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  /// Keeps its capacity: of more counters the most frequent ones, whose bounds still hold. Of a
  /// smaller, full one it does not know what that one had to replace. Fails the reader on what
  /// makes no sense.
  void load(Reader& in);

 private:
  [[nodiscard]] std::size_t cell_of(std::uint64_t hash) const;
  void insert_cell(std::size_t counter);
  void erase_cell(std::uint64_t hash);
  void rebuild();

  static constexpr std::uint16_t kFree = 0xffff;
  std::size_t capacity_;
  std::vector<Counter> counters_;
  std::vector<std::uint16_t> cells_;  ///< open addressing by hash, at most half full
};

}  // namespace liminal::stats
