#pragma once

#include <string>

#include "core/traffic/event.hpp"

namespace liminal::app {

/// Appends an event as a line of a trace, with its newline: the words that `liminal replay` and
/// `POST /ml/events` read. Times are seconds with microseconds since the trace's zero, which is the
/// epoch of `EventTime`. An event has at most one channel there.
void write_trace_line(const traffic::Event& event, std::string& out);

}  // namespace liminal::app
