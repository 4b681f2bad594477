#include "core/wire/content_check.hpp"

namespace liminal::wire {

ContentFault ContentCheck::check(const FramePart& part, std::string_view plain) {
  if (part.opcode == Opcode::kClose) return check_close(part, plain);
  if (part.opcode != Opcode::kText) return ContentFault::kNone;
  if (part.message_begins) text_ = {};
  const bool valid = text_.feed(plain) && (!part.message_ends || text_.complete());
  return valid ? ContentFault::kNone : ContentFault::kTextNotUtf8;
}

ContentFault ContentCheck::check_close(const FramePart& part, std::string_view plain) {
  while (code_bytes_ < 2 && !plain.empty()) {
    code_ = static_cast<std::uint16_t>(code_ << 8U | static_cast<unsigned char>(plain.front()));
    plain.remove_prefix(1);
    if (++code_bytes_ == 2 && !may_be_sent(CloseCode{code_}))
      return ContentFault::kCloseCodeNotAllowed;
  }
  if (!reason_.feed(plain)) return ContentFault::kCloseReasonNotUtf8;
  if (!part.message_ends) return ContentFault::kNone;
  if (code_bytes_ == 1) return ContentFault::kCloseTooShort;
  return reason_.complete() ? ContentFault::kNone : ContentFault::kCloseReasonNotUtf8;
}

CloseCode ContentCheck::received_code() const {
  return code_bytes_ == 2 ? CloseCode{code_} : CloseCode::kNoStatus;
}

ClosePayload read_close(std::string_view plain) {
  if (plain.size() < 2) return {};
  const unsigned high = static_cast<unsigned char>(plain[0]);
  const unsigned low = static_cast<unsigned char>(plain[1]);
  return {CloseCode{static_cast<std::uint16_t>(high << 8U | low)}, plain.substr(2)};
}

std::string_view name(ContentFault fault) {
  switch (fault) {
    case ContentFault::kNone:
      return "no fault";
    case ContentFault::kTextNotUtf8:
      return "text is not UTF-8";
    case ContentFault::kCloseTooShort:
      return "close payload of one byte";
    case ContentFault::kCloseCodeNotAllowed:
      return "close code that may not be sent";
    case ContentFault::kCloseReasonNotUtf8:
      return "close reason is not UTF-8";
  }
  return "unknown fault";
}

CloseCode close_code(ContentFault fault) {
  return fault == ContentFault::kTextNotUtf8 || fault == ContentFault::kCloseReasonNotUtf8
             ? CloseCode::kInvalidPayload
             : CloseCode::kProtocolError;
}

}  // namespace liminal::wire
