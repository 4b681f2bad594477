#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "core/base/time.hpp"
#include "core/traffic/event.hpp"

namespace liminal::json {

/// Why a line is no event. Does not allocate: `field` is one of the names below or, for an unknown
/// field, points into what was read and is valid until the reader reads again.
struct EventError {
  std::string_view field;  ///< as the line spells it; empty when the whole line is meant
  std::string_view what;   ///< "must be text of 1 to 128 bytes"
};

/// "user_id: must be text of 1 to 128 bytes". An unknown field is cut to its first 64 bytes.
[[nodiscard]] std::string text(const EventError& error);

using EventResult = tl::expected<traffic::Event, EventError>;

/// The longest line that is looked at; longer ones are refused unread.
inline constexpr std::size_t kEventLineBytesMax = 256 * 1024;

/// Reads events from JSON, one object each, in the words of the API and of traces alike:
///
///     user_id, user            text of 1 to 128 bytes, required
///     kind                     message, error (a message that failed), connect or join,
///                              disconnect or part, subscribe, rate_limited; required
///     timestamp, t             seconds since the epoch (of a trace: since its own zero), or
///                              RFC 3339; without one the event has the time given to `read`
///     ip_address, ip           text of 1 to 64 bytes
///     channel, channels        text of 1 to 256 bytes or a whole number, or up to 64 of them
///     message_size, bytes      0 to 4294967295
///     error                    true, false, 1 or 0
///     content_hash, hash       a whole number of 64 bits, or text, which is hashed
///
/// Strict: an unknown field, a field given twice (under either name), a wrong type and a bound
/// exceeded are errors that name the field. Invalid UTF-8 is an error. Never throws, whatever it
/// is given. One thread at a time. Cost: about 0.3 µs a line; it keeps one line's worth of memory.
class EventReader {
 public:
  EventReader();
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  /// Reads one line. `now` is the time of an event that names none; without it a time is required.
  /// The event borrows from this reader: valid until the next call.
  [[nodiscard]] EventResult read(std::string_view line, std::optional<EventTime> now = {});

  /// Called with each event or error and its line (of an array: its element), from 1.
  using Sink = std::function<void(std::uint64_t line, const EventResult&)>;

  /// Reads newline-delimited JSON, or one JSON array when the first character is `[`. Empty lines
  /// are skipped; lines may end with CR LF. A bad line does not stop the ones after it. Fails, with
  /// nothing given to `sink`, only when an array is no valid JSON as a whole.
  [[nodiscard]] tl::expected<void, EventError> read_all(std::string_view body,
                                                        std::optional<EventTime> now,
                                                        const Sink& sink);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace liminal::json
