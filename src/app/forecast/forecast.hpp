#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "app/command.hpp"

namespace liminal::app {

struct ForecastArguments {
  std::string file;
  std::string column;
  std::string time;
  std::uint32_t horizon = 0;
  std::vector<std::uint32_t> seasons;  ///< none: found by test; one 0: none at all
  std::vector<double> quantiles{.1, .5, .9};
  std::string weigh_by = "relative";
  std::string plot;
  bool explain = false;
};

/// Runs `liminal forecast`: the answer as CSV to `out`, complaints and explanations to
/// `complaints`.
[[nodiscard]] ExitCode run_forecast(const ForecastArguments& arguments,
                                    std::FILE* out,
                                    std::FILE* complaints);

}  // namespace liminal::app
