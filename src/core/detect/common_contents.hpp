#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/codec.hpp"

namespace liminal::detect {

/// Stands for a content: 14 bits of its hash, and whether it is as short as what clients say by
/// themselves. Never 0. Another one of the same kind looks like it with a probability of .00006.
[[nodiscard]] std::uint16_t content_mark(std::uint64_t content_hash, std::uint32_t bytes);
[[nodiscard]] bool is_short(std::uint16_t content);

/// A content that users repeat, and how many of them said so.
struct RepeatedContent {
  std::uint16_t content = 0;  ///< its mark
  std::uint32_t users = 0;
};

/// The contents that many users send again and again: heartbeats, polls, marks that somebody types.
/// They are what clients say by themselves, and who repeats them repeats nothing of his own.
///
/// A user names what it repeats when it does so for the first time and then about every two
/// minutes, as it tells that it is active; both decay together, so that their ratio is the share of
/// the active users. A content of at most 64 bytes becomes common when a twentieth of them and at
/// least two repeat it, a longer one, which may be what somebody says from many accounts, when a
/// tenth and at least five do, of fewer than ten users half. It ceases to be at half of that. While
/// nobody is there nothing changes.
///
/// Memory: 310 bytes. What comes and finds no place takes that of the least repeated one that is
/// not common.
class CommonContents {
 public:
  static constexpr std::size_t kMax = 30;

  /// Time passes for what is counted, as for the number of active users.
  void decay(double factor);
  void count(const RepeatedContent& repeated);
  /// Which of them are common among so many active users.
  void settle(double active);

  /// Constant time for what is not repeated by anybody else either: at most `kMax` comparisons.
  [[nodiscard]] bool holds(std::uint16_t content) const;
  [[nodiscard]] std::size_t size() const { return common_count_; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Candidate {
    float users = 0;
    std::uint16_t content = 0;  // 0: the place is empty
    bool common = false;
  };
  void derive();

  std::array<Candidate, kMax> candidates_{};
  // Derived: the common ones, in front.
  std::array<std::uint16_t, kMax> common_{};
  std::size_t common_count_ = 0;
};

}  // namespace liminal::detect
