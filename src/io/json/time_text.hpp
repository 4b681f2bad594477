#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"

namespace liminal::json {

/// The range of times that JSON may carry: the years 1970 to 2200. Whatever reads a time refuses
/// what lies outside, so that sums of times and durations never overflow.
inline constexpr std::int64_t kSecondsMax = 7'258'118'400;

/// Reads an RFC 3339 date-time: "2026-11-24T15:39:32.125Z", "…+01:00"; `t`, `z` and a blank between
/// date and time too, any number of digits of a second (those below a nanosecond are cut off), a
/// leap second as the next second. Nothing for other text and outside of 1970 to 2200.
[[nodiscard]] std::optional<EventTime> parse_time(std::string_view text);

/// Writes RFC 3339 in UTC with milliseconds, rounded down: "2026-11-24T15:39:32.125Z".
/// Years outside of 0 to 9999 are written as their nearest end.
[[nodiscard]] std::string format_time(SteadyTime time);

}  // namespace liminal::json
