#include "core/wire/frame_parser.hpp"

#include <algorithm>

namespace liminal::wire {
namespace {

constexpr unsigned byte(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

constexpr unsigned kFin = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kOpcode = 0x0F;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kLength = 0x7F;
constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;

bool is_known(unsigned opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA); }

/// Bytes of the extended length that the second byte announces.
std::size_t length_bytes(unsigned second) {
  const unsigned length = second & kLength;
  return length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
}

/// Bytes of a header that begins so: two until the second byte is there to tell.
std::size_t header_bytes(std::string_view start) {
  if (start.size() < 2) return 2;
  const unsigned second = byte(start, 1);
  return 2 + length_bytes(second) + ((second & kMasked) != 0 ? 4 : 0);
}

/// The payload length of a header that has all its length bytes.
std::uint64_t payload_length(std::string_view header) {
  const unsigned second = byte(header, 1);
  const std::size_t extended = length_bytes(second);
  if (extended == 0) return second & kLength;
  std::uint64_t length = 0;
  for (std::size_t i = 2; i < 2 + extended; ++i) length = length << 8U | byte(header, i);
  return length;
}

FrameFault check_extended_length(std::string_view header, std::size_t extended) {
  const std::uint64_t length = payload_length(header);
  if (length > (~std::uint64_t{0} >> 1U)) return FrameFault::kLengthTooLarge;
  const std::uint64_t shorter_form_max = extended == 2 ? 125 : 0xFFFF;
  return length <= shorter_form_max ? FrameFault::kLengthNotMinimal : FrameFault::kNone;
}

Mask mask_of(std::string_view header) {
  if ((byte(header, 1) & kMasked) == 0) return {};
  Mask mask;
  std::memcpy(mask.key.data(), header.data() + header.size() - 4, 4);
  return mask;
}

}  // namespace

/// The rules that the first bytes of a header can break, in the order of the bytes: so the fault
/// is the same whether the header came at once or byte by byte.
FrameFault FrameParser::check(std::string_view start) const {
  const unsigned first = byte(start, 0);
  const auto opcode = static_cast<Opcode>(first & kOpcode);
  if ((first & kReserved) != 0) return FrameFault::kReservedBits;
  if (!is_known(first & kOpcode)) return FrameFault::kReservedOpcode;
  if (is_control(opcode)) {
    if ((first & kFin) == 0) return FrameFault::kFragmentedControl;
  } else if (opcode == Opcode::kContinuation) {
    if (!inside_message()) return FrameFault::kUnexpectedContinuation;
  } else if (inside_message()) {
    return FrameFault::kUnfinishedMessage;
  }
  if (start.size() < 2) return FrameFault::kNone;

  const unsigned second = byte(start, 1);
  const bool masked = (second & kMasked) != 0;
  if (masked != (from_ == Sender::kClient))
    return masked ? FrameFault::kMasked : FrameFault::kNotMasked;
  const std::size_t extended = length_bytes(second);
  if (is_control(opcode) && extended != 0) return FrameFault::kLongControl;
  if (extended == 0 || start.size() < 2 + extended) return FrameFault::kNone;
  return check_extended_length(start, extended);
}

/// A whole header off `in`; empty while it is incomplete, and when it is at fault.
std::string_view FrameParser::take_header(std::string_view& in) {
  if (held_ == 0 && in.size() >= 2 && in.size() >= header_bytes(in)) {
    const std::string_view header = in.substr(0, header_bytes(in));
    fault_ = check(header);
    if (fault_ != FrameFault::kNone) return {};
    in.remove_prefix(header.size());
    return header;
  }
  while (!in.empty()) {
    buffer_[held_++] = in.front();
    in.remove_prefix(1);
    const std::string_view start{buffer_.data(), held_};
    fault_ = check(start);
    if (fault_ != FrameFault::kNone) return {};
    if (held_ == header_bytes(start)) {
      held_ = 0;
      return start;
    }
  }
  return {};
}

FrameFault FrameParser::count(std::uint64_t bytes, const FrameLimits& limits) {
  if (fragments_ >= limits.fragments_max) return FrameFault::kTooManyFragments;
  if (message_bytes_ > limits.message_bytes_max ||
      bytes > limits.message_bytes_max - message_bytes_)
    return FrameFault::kMessageTooLarge;
  ++fragments_;
  message_bytes_ += bytes;
  return FrameFault::kNone;
}

FrameFault FrameParser::begin(std::string_view header, const FrameLimits& limits) {
  const unsigned first = byte(header, 0);
  const auto opcode = static_cast<Opcode>(first & kOpcode);
  frame_bytes_ = left_ = payload_length(header);
  mask_ = mask_of(header);
  fin_ = (first & kFin) != 0;
  starts_message_ = opcode != Opcode::kContinuation;
  if (!is_control(opcode)) {
    if (const FrameFault fault = count(left_, limits); fault != FrameFault::kNone) return fault;
    if (starts_message_) message_opcode_ = opcode;
  }
  frame_opcode_ = starts_message_ ? opcode : message_opcode_;
  in_payload_ = true;
  return FrameFault::kNone;
}

void FrameParser::end_frame() {
  in_payload_ = false;
  if (frame_opcode_ == Opcode::kClose) closed_ = true;
  if (!is_control(frame_opcode_) && fin_) {
    message_opcode_ = Opcode::kContinuation;
    message_bytes_ = 0;
    fragments_ = 0;
  }
}

FramePart FrameParser::take_payload(std::string_view header, std::string_view& in) {
  FramePart part;
  part.opcode = frame_opcode_;
  part.header = header;
  part.frame_begins = !header.empty();
  part.message_begins = part.frame_begins && starts_message_;
  part.fin = fin_;
  part.mask = mask_;
  part.frame_bytes = frame_bytes_;
  part.message_bytes = is_control(frame_opcode_) ? frame_bytes_ : message_bytes_;
  part.payload = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size())));
  in.remove_prefix(part.payload.size());
  left_ -= part.payload.size();
  if (left_ == 0) {
    part.frame_ends = true;
    part.message_ends = fin_;
    end_frame();
  } else {
    mask_ = mask_.turned(part.payload.size());
  }
  return part;
}

std::optional<FramePart> FrameParser::next(std::string_view& in, const FrameLimits& limits) {
  if (fault_ != FrameFault::kNone) return std::nullopt;
  if (closed_) in = {};
  if (in.empty()) return std::nullopt;
  std::string_view header;
  if (!in_payload_) {
    header = take_header(in);
    if (header.empty()) return std::nullopt;
    fault_ = begin(header, limits);
    if (fault_ != FrameFault::kNone) return std::nullopt;
  }
  return take_payload(header, in);
}

std::string_view name(FrameFault fault) {
  switch (fault) {
    case FrameFault::kNone:
      return "no fault";
    case FrameFault::kReservedBits:
      return "reserved bits are set without an extension";
    case FrameFault::kReservedOpcode:
      return "reserved opcode";
    case FrameFault::kFragmentedControl:
      return "fragmented control frame";
    case FrameFault::kLongControl:
      return "control frame over 125 bytes";
    case FrameFault::kUnexpectedContinuation:
      return "continuation without a message";
    case FrameFault::kUnfinishedMessage:
      return "new message before the last one ended";
    case FrameFault::kNotMasked:
      return "client frame without a mask";
    case FrameFault::kMasked:
      return "server frame with a mask";
    case FrameFault::kLengthNotMinimal:
      return "length not in its shortest form";
    case FrameFault::kLengthTooLarge:
      return "length above 2^63 - 1";
    case FrameFault::kMessageTooLarge:
      return "message too large";
    case FrameFault::kTooManyFragments:
      return "message in too many fragments";
  }
  return "unknown fault";
}

CloseCode close_code(FrameFault fault) {
  switch (fault) {
    case FrameFault::kMessageTooLarge:
      return CloseCode::kMessageTooBig;
    case FrameFault::kTooManyFragments:
      return CloseCode::kPolicyViolation;
    default:
      return CloseCode::kProtocolError;
  }
}

}  // namespace liminal::wire
