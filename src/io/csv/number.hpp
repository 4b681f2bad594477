#pragma once

#include <string_view>

#include "core/base/result.hpp"

namespace liminal::csv {

/// Whether a field stands for a value that is not there: empty, NaN, NA, N/A, null, none or -, in
/// any case.
[[nodiscard]] bool is_missing(std::string_view field);

/// Reads a field as a number: decimal, with or without exponent and sign. A missing value is NaN.
/// Refuses text, infinity and what a double cannot hold (`kMalformed`, `kOutOfRange`); what is too
/// small for a double is 0.
[[nodiscard]] Result<double> number(std::string_view field);

}  // namespace liminal::csv
