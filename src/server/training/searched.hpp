#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/learn/ledger.hpp"
#include "core/learn/table.hpp"

namespace liminal::training {

/// The rows of a table that a search is given, with what it parts them by: values by times and
/// users, as far as the rows that it then chooses by can tell anything; else by users, by time, or
/// by chance, in this order. Classes are parted by users where ten or more have positives, else by
/// chance (docs/decisions/0017). `all` must be valid and labelled.
[[nodiscard]] learn::Table searched(const learn::Table& all,
                                    std::span<const std::uint32_t> rows,
                                    const learn::Loss& loss,
                                    const learn::SearchOptions& options);

/// How many of a search's last rows, which were made up, only teach: all such, so that what
/// chooses, calibrates and ends boosting are rows that came; none where fewer than `kJudgingMin`
/// positive ones would be left for that. `table` is what the search is given, with them at its end.
[[nodiscard]] std::size_t only_taught(const learn::Table& table,
                                      std::size_t made_up,
                                      const learn::Loss& loss,
                                      learn::SearchOptions options);
inline constexpr std::size_t kJudgingMin = 20;

/// The same table without some of its features.
[[nodiscard]] learn::Table without(const learn::Table& table,
                                   const std::vector<std::string>& names);

}  // namespace liminal::training
