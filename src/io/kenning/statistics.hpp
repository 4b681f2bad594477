#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::kenning {

/// What Kenning says of its own search.
struct Statistics {
  std::string metric;  ///< that it optimised
  std::uint64_t generated = 0, successful = 0, evaluated = 0;
  std::uint64_t crashed = 0, timed_out = 0, too_large = 0, incompatible = 0;

  /// The metric of each model that it evaluated, on rows of its own choice: to learn, to choose and
  /// to judge by. Empty where it is no number.
  struct Line {
    std::uint64_t number = 0;  ///< of the configuration
    std::optional<double> train, chosen, test;
    friend bool operator==(const Line&, const Line&) = default;
  };
  std::vector<Line> models;  ///< at most `kLinesMax`, by number

  static constexpr std::size_t kLinesMax = 1000;
  friend bool operator==(const Statistics&, const Statistics&) = default;
};

inline constexpr std::size_t kStatisticsBytesMax = std::size_t{16} << 20;

/// Reads automl_statistics.json. It is Python's JSON, not strict: Infinity, -Infinity and NaN are
/// taken as no value. Parts that are not there count as 0 or empty. Fails with `kTooLarge` or
/// `kMalformed`.
[[nodiscard]] Result<Statistics> read_statistics(std::string_view text);

}  // namespace liminal::kenning
