#pragma once

#include <filesystem>
#include <optional>

#include "core/abuse/abuser.hpp"

namespace liminal::bench {

/// One line of a trace.
using TraceEvent = abuse::TraceEvent;
using Trace = abuse::Trace;

/// Reads a trace of the form that `liminal replay` reads. None when a line makes no sense.
[[nodiscard]] std::optional<Trace> read_trace(const std::filesystem::path& file);

/// Writes such a file.
void write_trace(const std::filesystem::path& file, const Trace& trace);

/// Orders by time, keeping the order of what is simultaneous.
void sort(Trace& trace);

}  // namespace liminal::bench
