#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/learn/cross_codes.hpp"
#include "core/learn/ledger.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// How rows are held out of training.
enum class Validation : std::uint8_t {
  kFolds,       ///< five folds, each class (or size of the label) in every fold
  kHoldout,     ///< a fifth of the rows, drawn likewise
  kGroups,      ///< the same, with all rows of a user on one side
  kTime,        ///< the last quarter of the time
  kTimeGroups,  ///< of the last quarter of the time, users that are not trained on
};
[[nodiscard]] std::string_view name(Validation validation);

/// Rows to train and to judge on.
struct TrainValid {
  std::vector<std::uint32_t> train, valid;
};

/// The rows of a table by what a search may do with them.
struct Parts {
  Validation validation = Validation::kFolds;
  /// Nothing that is fitted or chosen sees these: the end of the time, other users, or drawn like
  /// the rest. Empty when asked for none, or when too few rows would be left on a side.
  std::vector<std::uint32_t> fresh;
  std::vector<std::uint32_t> searched;         ///< all others, rising
  std::vector<TrainValid> splits;              ///< of `searched`: some folds, or one
  std::vector<CrossCodes::PartMask> left_out;  ///< of `part`, one a split
  std::vector<std::uint8_t> part;              ///< of each row of the table, for `CrossCodes`

  [[nodiscard]] bool folds() const { return splits.size() > 1; }
};

/// Rows of each class (for values: half of all rows) that a search needs; of the fresh rows; and of
/// those that it trains and validates on.
inline constexpr std::size_t kSearchedMin = 20, kFreshMin = 10, kPartMin = 4;

/// Parts a table. By time when times are known, and then validated on users that were not trained
/// on, if there are enough such; by user when two or more are known; else by chance, with classes
/// spread evenly. Rows that only teach (`SearchOptions::rows_only_taught`) are trained on in every
/// split. `table` must be valid and labelled.
[[nodiscard]] Parts parts_of(const Table& table, const Loss& loss, const SearchOptions& options);

/// What keeps the parts from being trained and judged on, in words.
[[nodiscard]] Problems problems_of(const Parts& parts, const Table& table, const Loss& loss);

}  // namespace liminal::learn
