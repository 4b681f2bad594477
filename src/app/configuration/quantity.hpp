#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"

namespace liminal::app {

/// Reads "250 ms", "1.5s", "10 min" (or "10m"), "1 h", "7 d"; ns and us too. The unit is required,
/// but for "0". Nothing for other text, negative numbers and what exceeds 200 years.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// The shortest text that `parse_duration` reads back exactly: "90 s" stays 90 s, 120 s is "2 min".
[[nodiscard]] std::string format_duration(Duration duration);

/// Reads "03:30" as the time since midnight. Nothing for other text.
[[nodiscard]] std::optional<Duration> parse_time_of_day(std::string_view text);

/// Reads "512 B", "64 KiB", "1.5 MiB", "1 GiB", and "64 KB" as 64,000 bytes. The unit is required,
/// but for "0". Nothing for other text and for parts of a byte.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// The shortest text that `parse_bytes` reads back exactly.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

}  // namespace liminal::app
