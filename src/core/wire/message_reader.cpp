#include "core/wire/message_reader.hpp"

namespace liminal::wire {
namespace {
constexpr std::size_t kKeptBytesMax = 4096;
}  // namespace

std::optional<Message> MessageReader::next(std::string_view& in) {
  while (!failed()) {
    const std::optional<FramePart> part = parser_.next(in, limits_);
    if (!part) return std::nullopt;
    if (const auto message = is_control(part->opcode) ? add_control(*part) : add(*part))
      return message;
  }
  return std::nullopt;
}

std::optional<Message> MessageReader::add(const FramePart& part) {
  if (part.message_begins) {
    message_.clear();
    if (message_.capacity() > kKeptBytesMax) message_.shrink_to_fit();
  }
  std::string_view plain = part.payload;
  const bool masked = part.mask != Mask{};
  if (masked || !part.is_whole_message()) {
    const std::size_t start = message_.size();
    message_.append(part.payload);
    plain = std::string_view(message_).substr(start);
    if (masked) apply_mask(part.mask, plain, message_.data() + start);
  }
  content_fault_ = check_.check(part, plain);
  if (content_fault_ != ContentFault::kNone || !part.message_ends) return std::nullopt;
  return Message{part.opcode, part.is_whole_message() ? plain : std::string_view(message_)};
}

std::optional<Message> MessageReader::add_control(const FramePart& part) {
  if (part.frame_begins) control_bytes_ = 0;
  char* const start = control_.data() + control_bytes_;
  apply_mask(part.mask, part.payload, start);
  control_bytes_ += part.payload.size();
  content_fault_ = check_.check(part, {start, part.payload.size()});
  if (content_fault_ != ContentFault::kNone || !part.frame_ends) return std::nullopt;
  return Message{part.opcode, {control_.data(), control_bytes_}};
}

bool MessageReader::failed() const {
  return parser_.fault() != FrameFault::kNone || content_fault_ != ContentFault::kNone;
}

CloseCode MessageReader::close_code() const {
  return content_fault_ != ContentFault::kNone ? wire::close_code(content_fault_)
                                               : wire::close_code(parser_.fault());
}

std::string_view MessageReader::fault_name() const {
  return content_fault_ != ContentFault::kNone ? name(content_fault_) : name(parser_.fault());
}

}  // namespace liminal::wire
