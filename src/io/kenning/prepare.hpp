#pragma once

#include <cstdint>
#include <vector>

#include "io/kenning/series.hpp"

namespace liminal::kenning {

/// A series as Kenning needs it, and how its columns came from the given ones:
/// written = (given − mean) / deviation in single precision, and 0 where the value is missing.
struct Prepared {
  Series series;
  std::vector<std::int64_t> columns;    ///< of the given features, those that are written
  std::vector<float> mean, deviation;   ///< one for each of them
  std::vector<std::string> left_out{};  ///< features that never change
};

/// Standardises each feature by its own mean and deviation over all rows, missing values (NaN,
/// infinite) taken as the mean; leaves out what never changes within single precision.
///
/// Kenning standardises what it reads once more, by the mean and deviation of the very same rows,
/// which are then 0 and 1, and says nowhere what they were. So the mean and deviation here, put
/// before its graph, are all that its model needs.
[[nodiscard]] Prepared prepare(const Series& given);

}  // namespace liminal::kenning
