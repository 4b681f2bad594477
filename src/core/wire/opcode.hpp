#pragma once

#include <cstdint>

namespace liminal::wire {

/// What a frame carries (RFC 6455, section 5.2).
enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

[[nodiscard]] constexpr bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8U) != 0;
}

/// Who wrote the bytes: a client masks every frame, a server none (section 5.1).
enum class Sender : std::uint8_t { kClient, kServer };

/// Bounds of the protocol itself.
inline constexpr std::size_t kFrameHeaderBytesMax = 14;
inline constexpr std::size_t kControlPayloadBytesMax = 125;

}  // namespace liminal::wire
