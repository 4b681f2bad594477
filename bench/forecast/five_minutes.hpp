#pragma once

#include <string>

namespace bench {

/// Forecasts the series of five minutes that lie in a data folder (NAB's, loads of requests a
/// minute) an hour and a day ahead; README.md has the method. Gives the program's exit status.
int run_five_minutes(const std::string& data, bool verbose);

}  // namespace bench
