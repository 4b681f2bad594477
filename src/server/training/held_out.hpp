#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/learn/table.hpp"

namespace liminal::training {

/// Rows to learn from and rows that only judge, both by their place in the table.
struct HeldOut {
  std::vector<std::uint32_t> train, test;
  std::string how;  ///< in words
};

/// Holds rows of classes out by user and time: what is tested is later than what is learnt from and
/// of other users. Where too few of a class would be left for that, by user alone, then by time
/// alone, then a quarter of each class by chance; `how` says which it was.
/// `table` has at least 40 rows of each class.
[[nodiscard]] HeldOut hold_out_classes(const learn::Table& table, std::uint64_t seed);

/// The last quarter of the time, with a gap of `gap_s` before it; without times a quarter by
/// chance.
[[nodiscard]] HeldOut hold_out_values(const learn::Table& table, double gap_s, std::uint64_t seed);

}  // namespace liminal::training
