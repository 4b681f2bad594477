#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace liminal::onnxruntime {

/// Values of a tensor: the product of its axes. Open axes (below 0) count as `open`. Nothing when
/// it is above 2^62: a file may claim any shape.
[[nodiscard]] inline std::optional<std::size_t> values_of(std::span<const std::int64_t> axes,
                                                          std::size_t open) {
  constexpr std::uint64_t kMax = std::uint64_t{1} << 62;
  std::uint64_t count = 1;
  bool above = false;
  for (const std::int64_t axis : axes) {
    const auto size = axis < 0 ? std::uint64_t{open} : static_cast<std::uint64_t>(axis);
    if (size == 0) return 0;
    above = above || size > kMax / count;
    if (!above) count *= size;
  }
  if (above) return std::nullopt;
  return count;
}

}  // namespace liminal::onnxruntime
