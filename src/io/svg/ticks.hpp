#pragma once

#include <string>
#include <vector>

namespace liminal::svg {

/// What an axis measures: it decides which numbers are round and how they are written.
enum class AxisKind {
  kNumber,  ///< steps of 1, 2 or 5 times a power of ten
  kTime,    ///< seconds since the epoch in UTC; steps of seconds to days that people count in
  kLog,     ///< powers of ten, with 2 and 5 between them when there are few
};

struct Tick {
  double at = 0;
  std::string label;
};

/// Round places on an axis from `low` to `high` (both included), about `count` of them, at least
/// two wherever the range allows. Nothing for a range that is empty, reversed or not finite, or for
/// a logarithmic one that reaches zero.
[[nodiscard]] std::vector<Tick> ticks(AxisKind kind, double low, double high, int count);

}  // namespace liminal::svg
