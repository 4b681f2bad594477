#pragma once

#include <cstdint>
#include <string_view>

#include "core/wire/close.hpp"
#include "core/wire/frame_parser.hpp"
#include "core/wire/utf8.hpp"

namespace liminal::wire {

/// What a payload may break that its headers keep.
enum class ContentFault : std::uint8_t {
  kNone,
  kTextNotUtf8,
  kCloseTooShort,  ///< a close payload of one byte
  kCloseCodeNotAllowed,
  kCloseReasonNotUtf8,
};

[[nodiscard]] std::string_view name(ContentFault fault);
/// 1007 or 1002.
[[nodiscard]] CloseCode close_code(ContentFault fault);

/// Checks the payloads of one side of a connection as they arrive: text is UTF-8, across fragments
/// too, and close frames carry a code that may be sent and a reason in UTF-8 (RFC 6455, sections
/// 5.5.1, 7.4 and 8.1). Finds a fault at the first byte that cannot be mended.
///
/// Memory: 16 bytes. Cost: that of `Utf8Validator`.
class ContentCheck {
 public:
  /// `plain`: the payload of `part` without its mask. Call for every part, in order.
  [[nodiscard]] ContentFault check(const FramePart& part, std::string_view plain);

  /// The code of the close frame that has ended; `kNoStatus` when it had none or there was none.
  [[nodiscard]] CloseCode received_code() const;

 private:
  [[nodiscard]] ContentFault check_close(const FramePart& part, std::string_view plain);

  Utf8Validator text_;
  Utf8Validator reason_;
  std::uint16_t code_ = 0;
  std::uint8_t code_bytes_ = 0;
};

/// The code and reason of a whole close payload that `ContentCheck` accepted.
[[nodiscard]] ClosePayload read_close(std::string_view plain);

}  // namespace liminal::wire
