#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/close.hpp"
#include "core/wire/mask.hpp"
#include "core/wire/opcode.hpp"

namespace liminal::wire {

/// The bytes of one frame header.
class FrameHeader {
 public:
  /// A header in its shortest form. With a mask as a client writes it, without as a server does.
  FrameHeader(Opcode opcode, bool fin, std::uint64_t payload_bytes, std::optional<Mask> mask);

  [[nodiscard]] std::string_view bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kFrameHeaderBytesMax> bytes_;
  std::size_t size_ = 0;
};

/// Appends a frame; its payload goes under the mask when there is one. Allocates only when `out`
/// must grow.
void append_frame(std::string& out,
                  Opcode opcode,
                  std::string_view payload,
                  std::optional<Mask> mask = std::nullopt,
                  bool fin = true);

/// Appends a close frame. The reason is cut to 123 bytes, at a character. A code that may not be
/// sent, such as `kNoStatus`, makes the frame empty.
void append_close(std::string& out,
                  CloseCode code,
                  std::string_view reason = {},
                  std::optional<Mask> mask = std::nullopt);

}  // namespace liminal::wire
