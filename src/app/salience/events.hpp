#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "app/table_file.hpp"
#include "io/json/salience_event.hpp"

namespace liminal::app {

/// Ranks need all events at once.
inline constexpr std::size_t kSalienceEventsMax = 1'000'000;

/// The events of a file, in its order.
struct SalienceEvents {
  /// One that was left out, so that answers stand beside their events all the same.
  struct LeftOut {
    std::size_t before = 0;  ///< the place in `events` of the one after it
    std::string why;
  };

  std::vector<json::SalienceEvent> events;
  std::vector<LeftOut> left_out;
  std::vector<std::string> ignored;  ///< fields that are not known, each once
  std::uint64_t wrong = 0;           ///< lines and fields for which an event was left out
  bool too_many = false;  ///< more than `kSalienceEventsMax` in all; the rest was not read
};

/// Reads events as lines of JSON objects, or as CSV with the fields' names in its header (told by
/// the file's first byte): empty fields are what an event does not say, numbers are numbers but for
/// type, source and user_id. What is wrong is told to `complaints`, the first ten of it, with file
/// and line; of CSV what splits no more into records ends the file.
[[nodiscard]] SalienceEvents read_salience_events(TableFile& file, std::FILE* complaints);

}  // namespace liminal::app
