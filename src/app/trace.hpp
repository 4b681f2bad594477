#pragma once

#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "core/traffic/event.hpp"

namespace liminal::app {

/// A trace to read, "-" the standard input; or why there is none, in words.
[[nodiscard]] tl::expected<std::unique_ptr<std::istream>, std::string_view> open_trace(
    const std::string& file);

/// Appends an event as a line of a trace, with its newline: the words that `liminal replay` and
/// `POST /ml/events` read. Times are seconds with microseconds since the trace's zero, which is the
/// epoch of `EventTime`. An event has at most one channel there.
void write_trace_line(const traffic::Event& event, std::string& out);

}  // namespace liminal::app
