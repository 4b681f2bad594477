#pragma once

#include <span>
#include <string>

#include "app/forecast/series_file.hpp"
#include "core/forecast/forecaster.hpp"

namespace liminal::app {

/// Draws what was seen lately, what is expected, and a band for each pair of quantiles whose levels
/// mirror each other (.1 and .9).
[[nodiscard]] std::string plot_forecast(const NamedSeries& series,
                                        const forecast::Forecaster& forecaster,
                                        const forecast::Forecast& said,
                                        std::span<const double> levels);

}  // namespace liminal::app
