#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace liminal::stats {

/// In how many of the last blocks a departure from all that was seen before is looked for.
inline constexpr std::array<std::uint32_t, 4> kDepartures{144, 72, 36, 18};

/// What is known of a value that may rise to a limit, in blocks of ten minutes.
struct Seen {
  std::span<const double> values;  ///< at least 13, oldest first, up to three days
  std::vector<double> days;        ///< the highest of each day that was complete
  struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();
  };
  /// Of the complete days before each departure.
  std::array<Range, kDepartures.size()> before;
  double blocks = 0;  ///< of which all that is
};

struct Reaching {
  std::optional<double> expected_blocks;  ///< none: there is no trend, or it does not lead there
  double probability = 0;
};

/// Whether a value reaches a limit above its last one within so many blocks; `Trend` says how.
[[nodiscard]] Reaching reaching(const Seen& seen, double limit, double within);

}  // namespace liminal::stats
