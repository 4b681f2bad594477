#pragma once

#include <cstdint>

namespace bench {

/// How often what comes lies in the 95 % interval of series that have just begun, made up of a
/// seed; README.md has the method. Gives the program's exit status.
int run_short_series(std::uint64_t seed);

}  // namespace bench
