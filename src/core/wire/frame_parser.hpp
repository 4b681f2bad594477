#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/wire/close.hpp"
#include "core/wire/mask.hpp"
#include "core/wire/opcode.hpp"

namespace liminal::wire {

/// Bounds of one connection's messages, shared by all connections of a kind.
struct FrameLimits {
  /// Payload of one message over all its frames. Larger ones are refused at the header that says
  /// so.
  std::uint64_t message_bytes_max = 1U << 20U;
  /// Frames of one message. No honest library cuts a megabyte into more.
  std::uint32_t fragments_max = 4096;
};

/// Why a stream of frames cannot go on.
enum class FrameFault : std::uint8_t {
  kNone,
  kReservedBits,
  kReservedOpcode,
  kFragmentedControl,
  kLongControl,
  kUnexpectedContinuation,
  kUnfinishedMessage,  ///< a new message starts before the last one ended
  kNotMasked,
  kMasked,
  kLengthNotMinimal,
  kLengthTooLarge,  ///< above 2^63 - 1
  kMessageTooLarge,
  kTooManyFragments,
};

/// A sentence for a close frame or a log, at most 80 bytes of ASCII.
[[nodiscard]] std::string_view name(FrameFault fault);
/// 1009, 1008 or 1002.
[[nodiscard]] CloseCode close_code(FrameFault fault);

/// A piece of a frame, as much of it as has arrived. Points into the bytes that were given and,
/// when a header came in pieces, into the parser: valid until the next call.
///
/// `header` and `payload` joined, part after part, are the stream, byte for byte. What stands
/// together in memory may be sent together.
struct FramePart {
  /// Of the message: a continuation has the opcode with which its message began.
  Opcode opcode = Opcode::kContinuation;
  bool frame_begins = false;  ///< `header` is there, whole
  bool frame_ends = false;    ///< the frame's last payload byte is in this part, or it has none
  bool fin = false;           ///< the message's last frame
  bool message_begins = false;
  bool message_ends = false;
  std::string_view header;
  std::string_view payload;         ///< as it arrived, under `mask`
  Mask mask;                        ///< turned so that its first byte is over payload's first byte
  std::uint64_t frame_bytes = 0;    ///< payload of the whole frame
  std::uint64_t message_bytes = 0;  ///< payload of the message up to the end of this frame

  [[nodiscard]] bool is_whole_message() const { return message_begins && message_ends; }
};

/// Cuts what one side of a WebSocket connection sends into frames, for a relay that passes them on
/// verbatim and only looks. Takes bytes as they arrive, cut anywhere; copies nothing but headers
/// that arrive in pieces (≤ 14 bytes); allocates nothing.
///
/// Guarantee: however the stream is cut, the parts joined per frame are the same, and the same
/// fault is found at the same byte. A part is given only when the rules up to its end hold: what
/// was given can be passed on. Nothing is given after a fault, nor after a close frame ended
/// (what follows it is swallowed, as section 5.5.1 has it).
///
/// Refused: reserved bits and opcodes, frames masked or not against their side's rule, lengths not
/// in their shortest form or above 2^63 - 1, control frames that are fragmented or over 125
/// bytes, a continuation of nothing, a message inside a message, and what exceeds the limits.
/// The payload's own rules (UTF-8, close codes) are `ContentCheck`'s.
///
///     while (const auto part = parser.next(bytes, limits)) relay(*part);
///     if (parser.fault() != FrameFault::kNone) close(close_code(parser.fault()));
///
/// Memory: 56 bytes. Cost: the same for each frame, whatever its size; `frame_parser_bench.cpp`.
/// **Source:** RFC 6455, section 5.
class FrameParser {
 public:
  explicit FrameParser(Sender from) : from_(from) {}

  /// The next part, taking it off `in`. None: `in` is used up, or the stream is at fault.
  [[nodiscard]] std::optional<FramePart> next(std::string_view& in, const FrameLimits& limits);

  [[nodiscard]] FrameFault fault() const { return fault_; }
  /// A close frame has ended: the sender may not send anything more.
  [[nodiscard]] bool closed() const { return closed_; }
  /// Between two frames of a message, or inside a frame: another data message cannot be put here.
  [[nodiscard]] bool inside_message() const { return message_opcode_ != Opcode::kContinuation; }
  /// Inside a frame or its header: no frame at all can be put here.
  [[nodiscard]] bool inside_frame() const { return in_payload_ || held_ > 0; }

 private:
  [[nodiscard]] FrameFault check(std::string_view start) const;
  [[nodiscard]] std::string_view take_header(std::string_view& in);
  [[nodiscard]] FrameFault begin(std::string_view header, const FrameLimits& limits);
  [[nodiscard]] FrameFault count(std::uint64_t bytes, const FrameLimits& limits);
  [[nodiscard]] FramePart take_payload(std::string_view header, std::string_view& in);
  void end_frame();

  std::uint64_t left_ = 0;           ///< payload bytes of the current frame yet to come
  std::uint64_t message_bytes_ = 0;  ///< of the open message, its frames so far
  std::uint64_t frame_bytes_ = 0;
  std::uint32_t fragments_ = 0;
  Mask mask_;  ///< turned to the next payload byte
  std::array<char, kFrameHeaderBytesMax> buffer_{};
  std::uint8_t held_ = 0;  ///< header bytes in `buffer_` while it is incomplete
  Opcode message_opcode_ = Opcode::kContinuation;  ///< of the open message; none: kContinuation
  Opcode frame_opcode_ = Opcode::kContinuation;
  FrameFault fault_ = FrameFault::kNone;
  Sender from_;
  bool fin_ = false;
  bool starts_message_ = false;  ///< the current frame is its message's first
  bool in_payload_ = false;
  bool closed_ = false;
};

}  // namespace liminal::wire
