#pragma once

#include <string>
#include <string_view>

#include "core/scaling/backtest.hpp"
#include "core/scaling/report.hpp"
#include "io/json/fields.hpp"
#include "io/json/writer.hpp"

namespace liminal::api {

/// What answers name as the model.
inline constexpr std::string_view kScalingModel = "peak-quantile/1";

/// Whether a service may be called so, so that paths, logs and lists show the same.
[[nodiscard]] bool is_service_name(std::string_view name);
inline constexpr std::string_view kServiceNameRule = "must be UTF-8 without control characters";

/// Schema `ScalingRequest`: the present last of the rows, at `now`. What is wrong is reported.
[[nodiscard]] scaling::Report read_report(json::Fields& in, EventTime now);

/// Schema `ScalingSettings`; what the body does not speak of stays.
[[nodiscard]] scaling::ChangeOptions read_settings(json::Fields& in);

/// Why, in words for a person.
[[nodiscard]] std::string text(const scaling::Reason& reason);

/// Schema `ScalingAnswer`.
void write(const scaling::Advice& advice, json::Writer& out);
/// Schema `ScalingSettings`.
void write(const scaling::ServiceOptions& options, json::Writer& out);
/// Schema `ScalingService`. `load`, of the whole service: what to expect at it, instead of at a
/// few.
void write(const scaling::ServiceState& state,
           EventTime now,
           std::optional<double> load,
           json::Writer& out);
/// Schema `ScalingBacktest`.
void write(const scaling::Backtest& backtest, json::Writer& out);
/// The same as a picture: what is missing against what runs.
[[nodiscard]] std::string plot(const scaling::Backtest& backtest, const std::string& service);

}  // namespace liminal::api
