#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/traffic/event.hpp"

namespace liminal::app {

/// What a played message looks like on the wire.
enum class PlayFormat : std::uint8_t {
  kHub,   ///< requests of the built-in hub: JSON, some fifty bytes at least
  kText,  ///< plain text of exactly the event's size; one that failed begins with `!`
};

/// The text of a message event, or of a subscription (of `kHub`; none for `kText`). Made so that
/// the gateway sees the event again: equal content hashes give equal contents, others differ;
/// the size is the event's where the format leaves room; a message that failed is one that the hub
/// refuses. `number` tells contents without a hash apart.
[[nodiscard]] std::optional<std::string> play_message(const traffic::Event& event,
                                                      PlayFormat format,
                                                      std::uint64_t number);

}  // namespace liminal::app
