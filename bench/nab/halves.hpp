#pragma once

#include <cstdint>
#include <vector>

#include "series.hpp"

namespace nab {

/// Every other file, by the order of their names, and the rest.
struct Half {
  const char* name;
  std::vector<Series> tuned, other;
  std::uint64_t seed;
};
[[nodiscard]] std::vector<Half> halves(const std::vector<Series>& all);

/// Constants that are good on some series (range not told) at the fixed line, by the sum of the
/// three profiles. A third of the rounds draws them anew, each up to eight
/// times smaller or larger than the shipped one; the rest changes one to three of the best so far.
[[nodiscard]] liminal::novelty::Constants search(std::span<const Series> tuned,
                                                 unsigned rounds,
                                                 std::uint64_t seed);

}  // namespace nab
