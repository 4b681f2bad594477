#include "app/forecast/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/svg/chart.hpp"

namespace liminal::app {
namespace {

constexpr svg::Colour kForecastColour{1};

/// Enough of the past to see two of its longest seasons, and three horizons at least, but so that
/// the forecast still has a tenth of the width.
std::size_t shown_points(const forecast::Plan& plan, std::size_t points, std::size_t steps) {
  const std::size_t seasons = std::min(std::size_t{2} * plan.longest(), 9 * steps);
  return std::min(points, std::max({seasons, 3 * steps, std::size_t{40}}));
}

}  // namespace

std::string plot_forecast(const NamedSeries& series,
                          const forecast::Forecaster& forecaster,
                          const forecast::Forecast& said,
                          std::span<const double> levels) {
  const bool timed = series.step_s > 0;
  const auto last = static_cast<double>(series.values.size() - 1);
  const auto x_of = [&](double steps_after_last) {
    return timed ? series.begin_s + series.step_s * (last + steps_after_last) : steps_after_last;
  };
  svg::Chart chart;
  chart.title = fmt::format("Forecast of {}", series.name);
  chart.x = {timed ? "time (UTC)" : "steps from the last value",
             timed ? svg::AxisKind::kTime : svg::AxisKind::kNumber};
  chart.y.label = series.name;
  chart.from_zero = forecaster.model()->scaling.non_negative;

  svg::Line seen{"observed", {}, {}, svg::kInk, svg::Stroke::kSolid};
  const std::size_t points =
      shown_points(forecaster.model()->plan, series.values.size(), said.mean.size());
  for (std::size_t i = series.values.size() - points; i < series.values.size(); ++i) {
    seen.x.push_back(x_of(static_cast<double>(i) - last));
    seen.y.push_back(series.values[i]);
  }
  svg::Line mean{"forecast", {}, said.mean, kForecastColour, svg::Stroke::kSolid, 2};
  for (std::size_t h = 0; h < said.mean.size(); ++h)
    mean.x.push_back(x_of(static_cast<double>(h) + 1));
  for (std::size_t i = 0; i < levels.size(); ++i) {
    for (std::size_t k = 0; k < levels.size(); ++k) {
      if (levels[i] >= .5 || std::abs(levels[i] + levels[k] - 1) > 1e-9) continue;
      chart.bands.push_back({fmt::format("{:.4g} % interval", 100 * (levels[k] - levels[i])),
                             mean.x,
                             said.quantiles[i],
                             said.quantiles[k],
                             kForecastColour,
                             .2});
    }
  }
  chart.marks.push_back({x_of(0), "last value"});
  chart.lines = {std::move(seen), std::move(mean)};
  return chart.svg();
}

}  // namespace liminal::app
