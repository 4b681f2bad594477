#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace liminal::wire {

inline constexpr std::size_t kKeyChars = 24;
inline constexpr std::size_t kAcceptChars = 28;

/// SHA-1 (FIPS 180-4), which the handshake uses as a checksum. Broken as a signature: not for that.
[[nodiscard]] std::array<std::uint8_t, 20> sha1(std::string_view bytes);

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` of `kKeyChars` characters
/// (RFC 6455, section 4.2.2). Two blocks of SHA-1.
[[nodiscard]] std::array<char, kAcceptChars> accept_key(std::string_view key);

/// Whether this is the base64 of 16 bytes, in its one canonical form.
[[nodiscard]] bool is_handshake_key(std::string_view key);

/// A client's `Sec-WebSocket-Key` from 16 random bytes.
[[nodiscard]] std::array<char, kKeyChars> handshake_key(std::span<const std::uint8_t, 16> random);

/// What an array of characters says, for comparing and appending.
template <std::size_t N>
[[nodiscard]] constexpr std::string_view text(const std::array<char, N>& chars) {
  return {chars.data(), N};
}

}  // namespace liminal::wire
