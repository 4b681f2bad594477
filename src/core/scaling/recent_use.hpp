#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "core/base/codec.hpp"
#include "core/scaling/load_line.hpp"

namespace liminal::scaling {

/// What the last half hour of minutes used at their loads: whether work costs more than a law says
/// that was learnt from a day. A new release does so at once, a batch job while it runs.
///
/// Cost: `shift` a microsecond. Memory: 250 bytes.
class RecentUse {
 public:
  void add(double load, double use);

  /// What is used, beside what a law says: `factor` times that, and `offset` more. One of both.
  struct Shift {
    double factor = 1, offset = 0;
    double size = 0;  ///< how much more that is at the usual load
  };
  /// None while less than a quarter of an hour is known, or most minutes lie where the law says: a
  /// quarter of them, or more, at most 15 % and .03 above it. Less than the law is never told: work
  /// that was turned away looks so.
  [[nodiscard]] std::optional<Shift> shift(const LoadLine::Fit& law) const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  static constexpr std::size_t kMinutes = 30;
  struct Minute {
    float load = 0, use = 0;
  };
  std::array<Minute, kMinutes> minutes_{};  ///< of number n at n mod size
  std::size_t count_ = 0, next_ = 0;
};

}  // namespace liminal::scaling
