#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"

namespace liminal::detect {

/// A moment in the life of a user in half the room of a time point: sixteenths of a second since
/// the user was first seen, rounded down; stops after 8.5 years. Empty means never.
class Stamp {
 public:
  Stamp() = default;
  Stamp(SteadyTime born, SteadyTime now) {
    constexpr Duration kUnit{1'000'000'000 / 16};
    const auto units = std::clamp<Duration::rep>((now - born) / kUnit, 0, 0xfffffffe);
    value_ = static_cast<std::uint32_t>(units) + 1;
  }

  [[nodiscard]] bool empty() const { return value_ == 0; }

  /// Seconds from this to `later`, 0 when that is earlier; a long time when this is empty.
  [[nodiscard]] double until(Stamp later) const {
    if (empty()) return 1e9;
    return later.value_ > value_ ? static_cast<double>(later.value_ - value_) / 16 : 0;
  }

  /// The moment that many seconds later.
  [[nodiscard]] Stamp plus(double later_s) const {
    Stamp later;
    later.value_ = value_ + static_cast<std::uint32_t>(later_s * 16);
    return later;
  }

  friend bool operator==(Stamp, Stamp) = default;

  void save(Writer& out) const { out.put(value_); }
  void load(Reader& in) { in.get(value_); }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace liminal::detect
