#pragma once

#include <cstdint>
#include <span>

#include "core/learn/table.hpp"
#include "core/models/inputs.hpp"

namespace liminal::learn {

/// How rows of a table become numbers for each kind of learner, as the inputs of the models that
/// come out.
///
/// Categories of up to `one_hot_max` levels become a column a level, others one column of codes:
/// the mean label of the level, shrunk to the mean of all with a weight of 20 rows. That suits rows
/// whose labels are not known. For rows to train or judge on, whose labels are in those means,
/// `CrossCodes` has codes from other rows. A level that is not among the 4,096 most frequent counts
/// as missing.
struct Encoding {
  models::Inputs trees;   ///< missing values stay missing
  models::Inputs filled;  ///< for extra-trees: a missing value lies below all others
  models::Inputs scaled;  ///< for linear models: medians for missing, deviations, within ±5
};

struct EncodingOptions {
  std::size_t one_hot_max = 16;
};

/// Learns an encoding from some rows of a table (all of them when `rows` is empty). Without labels
/// categories of many levels are ordered by how frequent they are.
[[nodiscard]] Encoding learn_encoding(const Table& table,
                                      std::span<const std::uint32_t> rows,
                                      const EncodingOptions& options = {});

/// The mean label of a level, with a weight of 20 rows for the mean of all.
[[nodiscard]] double shrunk_mean(double sum, double count, double mean_of_all);

/// Some rows of a table as columns.
[[nodiscard]] Matrix encode(const models::Inputs& inputs,
                            const Table& table,
                            std::span<const std::uint32_t> rows);

}  // namespace liminal::learn
