#pragma once

#include <bit>
#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::detect {

/// Remembers which channels a user was in, by a Bloom filter of 2 × 64 bits. Never forgets a
/// channel that it was told; takes an unknown one of n others for known with a probability near
/// (n/64)², below .1 until 20 channels.
/// Memory: 16 bytes.
class ChannelFilter {
 public:
  [[nodiscard]] bool knows(std::uint64_t hash) const {
    return (low_ & low_bit(hash)) != 0 && (high_ & high_bit(hash)) != 0;
  }
  void add(std::uint64_t hash) {
    low_ |= low_bit(hash);
    high_ |= high_bit(hash);
  }
  void add(const ChannelFilter& other) {
    low_ |= other.low_;
    high_ |= other.high_;
  }
  /// Whether it is too full to tell known from unknown.
  [[nodiscard]] bool full() const { return std::popcount(low_) > 40; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  static std::uint64_t low_bit(std::uint64_t hash) { return 1ULL << (hash & 63); }
  static std::uint64_t high_bit(std::uint64_t hash) { return 1ULL << (hash >> 6 & 63); }

  std::uint64_t low_ = 0, high_ = 0;
};

}  // namespace liminal::detect
