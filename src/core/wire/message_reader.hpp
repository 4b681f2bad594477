#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/content_check.hpp"
#include "core/wire/frame_parser.hpp"

namespace liminal::wire {

/// A whole message or control frame, unmasked. Valid until the next call of its reader.
struct Message {
  Opcode opcode = Opcode::kText;
  std::string_view payload;
};

/// Reads whole messages, for an end of a connection (the hub, a client), with every rule checked.
/// A relay uses `FrameParser`, which holds nothing back.
///
/// Control frames come out between the fragments of a message, where they stood. After a fault or a
/// close frame there is nothing more.
///
/// Memory: 300 bytes, and a buffer for a message in pieces or under a mask, up to
/// `message_bytes_max`; of that no more than 4 KiB is kept from one message to the next.
class MessageReader {
 public:
  MessageReader(Sender from, const FrameLimits& limits) : parser_(from), limits_(limits) {}

  /// The next message, taking its bytes off `in`. None: `in` is used up, or `failed()`.
  [[nodiscard]] std::optional<Message> next(std::string_view& in);

  [[nodiscard]] bool failed() const;
  /// What to close the connection with when it failed.
  [[nodiscard]] CloseCode close_code() const;
  [[nodiscard]] std::string_view fault_name() const;

 private:
  [[nodiscard]] std::optional<Message> add(const FramePart& part);
  [[nodiscard]] std::optional<Message> add_control(const FramePart& part);

  FrameParser parser_;
  FrameLimits limits_;
  ContentCheck check_;
  ContentFault content_fault_ = ContentFault::kNone;
  std::array<char, kControlPayloadBytesMax> control_{};
  std::size_t control_bytes_ = 0;
  std::string message_;
};

}  // namespace liminal::wire
