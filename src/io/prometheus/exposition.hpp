#pragma once

#include <string>
#include <string_view>

#include "io/prometheus/snapshot.hpp"

namespace liminal::prometheus {

enum class Format : std::uint8_t { kText, kOpenMetrics };

/// The Content-Type of an exposition.
[[nodiscard]] std::string_view content_type(Format format);

/// OpenMetrics when the Accept field prefers it to plain text, else Prometheus' text format.
[[nodiscard]] Format negotiate(std::string_view accept);

/// Every family that has a value, in the table's order. **Source:** text format 0.0.4, written by
/// prometheus-cpp; OpenMetrics 1.0, by ourselves, since that library has no writer for it.
[[nodiscard]] std::string expose(const Snapshot& snapshot, Format format);

}  // namespace liminal::prometheus
