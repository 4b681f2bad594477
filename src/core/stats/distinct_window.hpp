#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/math.hpp"

namespace liminal::stats {

/// Counts distinct things (by their hash) over a sliding window of twelve epochs, in 2.5 bytes for
/// each of the first `kExact` and no more however many follow.
///
/// Guarantee: a thing is remembered for at least twelve epochs after its last use and at most
/// thirteen. Up to `kExact` of them are told apart by 16 bits of their hash (n of them are counted
/// one too few with a probability below n² / 131,072). When there are more, it turns into linear
/// counting over m = 5 · kExact cells, each with the age of its last hit: standard error
/// √(m·(e^t − t − 1)) for n = t·m things (t = 1: 8 % of n for 110 cells), growing beyond n = m;
/// it never says more than m · ln(2m). It turns back when all is forgotten.
///
/// The epoch is kept outside, so that several windows share it.
///
/// Memory: 2.5 · kExact + 2. Cost: `add` O(kExact) comparisons of 16 bits; `advance` O(m), once an
/// epoch.
///
/// Source: Whang, Vander-Zanden, Taylor, "A linear-time probabilistic counting algorithm for
/// database applications", TODS 1990; standard error: equation 6. Deviations: ages instead of bits;
/// exact while small.
template <std::size_t kExact>
requires(kExact % 2 == 0 && kExact * 5 < 128) class DistinctWindow {
 public:
  static constexpr unsigned kEpochs = 12;
  static constexpr std::size_t kCells = kExact * 5;

  /// What a use told: its first within the current epoch, and within all that is remembered. In
  /// linear counting a new thing is taken for a known one with the probability that its cell is
  /// taken, and every use of a known one for the first in its epoch.
  enum class Use : std::uint8_t { kAgain, kFirstInEpoch, kNew };

  /// Counts a use now.
  Use add(std::uint64_t hash) {
    const auto fingerprint = static_cast<std::uint16_t>(hash >> 16);
    if (linear()) return add_to_cell(fingerprint);
    const std::size_t place = find(fingerprint);
    if (place < size_) {
      if (age(place) == 0) return Use::kAgain;
      set_age(place, 0);
      return Use::kFirstInEpoch;
    }
    if (size_ == kExact) {
      turn_linear();
      return add_to_cell(fingerprint);
    }
    fingerprints_[size_] = fingerprint;
    set_age(size_++, 0);
    return Use::kNew;
  }

  /// Tells that so many new epochs have begun.
  void advance(std::uint64_t epochs) {
    if (epochs == 0 || size_ == 0) return;
    if (epochs > kEpochs) return clear();
    const auto later = static_cast<unsigned>(epochs);
    linear() ? age_cells(later) : age_exact(later);
  }

  /// How many, `later` epochs after the last `advance`.
  [[nodiscard]] double count(std::uint64_t later = 0) const {
    const std::size_t used = later == 0 ? (size_ & kSizeMask) : used_after(later);
    if (!linear()) return static_cast<double>(used);
    constexpr auto kM = static_cast<double>(kCells);
    const double free = static_cast<double>(kCells - used);
    return kM * log(kM / (used == kCells ? .5 : free));
  }

  void clear() { *this = {}; }

  void save(Writer& out) const {
    out.put(size_);
    for (const std::uint16_t fingerprint : fingerprints_) out.put(fingerprint);
    for (const std::uint8_t ages : ages_) out.put(ages);
  }

  void load(Reader& in) {
    in.get(size_);
    for (std::uint16_t& fingerprint : fingerprints_) in.get(fingerprint);
    for (std::uint8_t& ages : ages_) in.get(ages);
    if (!plausible()) {
      in.fail();
      clear();
    }
  }

 private:
  static constexpr std::uint8_t kLinear = 0x80, kSizeMask = 0x7f;

  [[nodiscard]] bool linear() const { return (size_ & kLinear) != 0; }

  [[nodiscard]] std::size_t find(std::uint16_t fingerprint) const {
    std::size_t i = 0;
    while (i < size_ && fingerprints_[i] != fingerprint) ++i;
    return i;
  }

  [[nodiscard]] unsigned age(std::size_t i) const {
    return (static_cast<unsigned>(ages_[i / 2]) >> (i % 2 * 4)) & 15U;
  }

  void set_age(std::size_t i, unsigned age) {
    const unsigned shift = i % 2 * 4;
    ages_[i / 2] = static_cast<std::uint8_t>((ages_[i / 2] & ~(15U << shift)) | (age << shift));
  }

  void age_exact(unsigned later) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const unsigned aged = age(i) + later;
      if (aged > kEpochs) continue;
      fingerprints_[kept] = fingerprints_[i];
      set_age(kept++, aged);
    }
    size_ = static_cast<std::uint8_t>(kept);
  }

  // In linear counting all bytes are cells of four bits: 0 free, else 1 + age.

  [[nodiscard]] unsigned cell(std::size_t i) const {
    if (i < kExact * 4) return (static_cast<unsigned>(fingerprints_[i / 4]) >> (i % 4 * 4)) & 15U;
    return age(i - kExact * 4);
  }

  void set_cell(std::size_t i, unsigned value) {
    if (i >= kExact * 4) return set_age(i - kExact * 4, value);
    const unsigned shift = i % 4 * 4;
    fingerprints_[i / 4] =
        static_cast<std::uint16_t>((fingerprints_[i / 4] & ~(15U << shift)) | (value << shift));
  }

  Use add_to_cell(std::uint16_t fingerprint, unsigned age_of_use = 0) {
    const std::size_t i = fingerprint * kCells >> 16;
    const unsigned before = cell(i);
    if (before == 0 || before > age_of_use + 1) set_cell(i, age_of_use + 1);
    if (before != 0) return Use::kFirstInEpoch;
    ++size_;
    return Use::kNew;
  }

  void turn_linear() {
    const DistinctWindow exact = *this;
    clear();
    size_ = kLinear;
    for (std::size_t i = 0; i < exact.size_; ++i) add_to_cell(exact.fingerprints_[i], exact.age(i));
  }

  void age_cells(unsigned later) {
    std::uint8_t used = 0;
    for (std::size_t i = 0; i < kCells; ++i) {
      const unsigned before = cell(i);
      const bool kept = before != 0 && before + later <= kEpochs + 1;
      if (before != 0) set_cell(i, kept ? before + later : 0);
      used = static_cast<std::uint8_t>(used + kept);
    }
    if (used == 0) return clear();
    size_ = static_cast<std::uint8_t>(kLinear | used);
  }

  [[nodiscard]] std::size_t used_after(std::uint64_t later) const {
    if (later > kEpochs) return 0;
    std::size_t used = 0;
    if (linear()) {
      for (std::size_t i = 0; i < kCells; ++i)
        used += cell(i) != 0 && cell(i) + later <= kEpochs + 1;
    } else {
      for (std::size_t i = 0; i < size_; ++i) used += age(i) + later <= kEpochs;
    }
    return used;
  }

  [[nodiscard]] bool plausible() const {
    if (!linear()) {
      if (size_ > kExact) return false;
      for (std::size_t i = 0; i < size_; ++i) {
        if (age(i) > kEpochs) return false;
      }
      return true;
    }
    std::size_t used = 0;
    for (std::size_t i = 0; i < kCells; ++i) {
      if (cell(i) > kEpochs + 1) return false;
      used += cell(i) != 0;
    }
    return used == (size_ & kSizeMask);
  }

  std::array<std::uint16_t, kExact> fingerprints_{};
  std::array<std::uint8_t, kExact / 2> ages_{};
  std::uint8_t size_ = 0;  ///< things, or with `kLinear` cells in use
};

}  // namespace liminal::stats
