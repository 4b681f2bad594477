#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/detect/stamp.hpp"

namespace liminal::detect {

/// Finds the content that a client says by a timer of its own: the same short one in no channel, at
/// least 4 s apart, three times about as long after the last time as that was after the one before.
/// Follows the last three that are repeated, and who keeps time for as long as it stays away for
/// less than ten minutes. Memory: 28 bytes.
class Pulse {
 public:
  /// A short content was said again. True when it is the timer's.
  bool beat(std::uint16_t content, Stamp now);

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Timer {
    Stamp last;
    std::uint16_t interval = 0;  // sixteenths of a second; 0: not known yet
    std::uint16_t content = 0;
  };
  static constexpr std::size_t kTimers = 3;
  [[nodiscard]] std::size_t replaceable(Stamp now) const;

  std::array<Timer, kTimers> timers_;
  std::array<std::uint8_t, kTimers> steady_{};  // intervals like the one before
};

}  // namespace liminal::detect
