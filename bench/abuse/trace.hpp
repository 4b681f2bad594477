#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/traffic/event.hpp"

namespace liminal::bench {

/// One line of a trace.
struct TraceEvent {
  double t = 0;  ///< seconds
  std::string user, address;
  traffic::EventKind kind = traffic::EventKind::kMessage;
  std::uint32_t bytes = 0;
  bool error = false;
  std::uint64_t channel = 0;  ///< 0: none
  std::uint64_t content = 0;  ///< 0: not known
};

using Trace = std::vector<TraceEvent>;

/// Reads a trace of the form that `liminal replay` reads. None when a line makes no sense.
[[nodiscard]] std::optional<Trace> read_trace(const std::filesystem::path& file);

/// Writes such a file.
void write_trace(const std::filesystem::path& file, const Trace& trace);

/// Orders by time, keeping the order of what is simultaneous.
void sort(Trace& trace);

}  // namespace liminal::bench
