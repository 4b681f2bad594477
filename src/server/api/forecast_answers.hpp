#pragma once

#include <optional>
#include <vector>

#include "core/forecast/forecaster.hpp"
#include "io/json/fields.hpp"
#include "io/json/writer.hpp"
#include "server/api/anomaly_port.hpp"

namespace liminal::api {

/// Of one request, gaps between rows counted: some .3 s of work, with as many steps ahead.
inline constexpr std::size_t kForecastPointsMax = 20'000;
inline constexpr std::uint32_t kForecastHorizonMax = 1000;
inline constexpr std::size_t kForecastLevelsMax = 20;

/// What a `POST /forecast` wants.
struct ForecastRequest {
  forecast::Options options;
  std::vector<double> levels{.1, .5, .9};
  std::vector<double> values;  ///< evenly spaced, oldest first; missing ones are NaN
  /// One step after the last value, of rows.
  std::optional<EventTime> next;
  double step_s = 0;  ///< between two values, of rows
};

/// Schema `ForecastRequest`. What is wrong is reported, up to some twenty of it.
[[nodiscard]] ForecastRequest read_forecast(json::Fields& in);

/// What a series does next, and who says it.
struct MadeForecast {
  forecast::Forecaster forecaster;
  forecast::Forecast said;
};

/// Fits and forecasts. What the values do not allow is reported.
[[nodiscard]] std::optional<MadeForecast> make_forecast(const ForecastRequest& request,
                                                        Problems& problems);

/// Schema `ForecastAnswer`.
void write(const ForecastRequest& request, const MadeForecast& made, json::Writer& out);

/// Schema `ForecastSummary`.
void write_summary(const ForecastSeries& series, json::Writer& out);
/// Schema `SeriesForecast`: so many steps of it, as far as there are.
void write(const ForecastSeries& series, std::size_t steps, json::Writer& out);

}  // namespace liminal::api
