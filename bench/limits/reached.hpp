#pragma once

#include <filesystem>

namespace liminal::bench {

/// The probability that a limit is reached within a week, of made-up values whose truth is known.
void print_made_up();

/// The same of NAB's series, by halves: how good it is, against always telling the base rate, and
/// how often what was told with some probability came true.
void print_calibration(const std::filesystem::path& folder);

}  // namespace liminal::bench
