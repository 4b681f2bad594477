#pragma once

#include <cstddef>
#include <string_view>

namespace liminal::wire {

/// Decodes the inside of a JSON string (RFC 8259, section 7) into `out`, at most `bytes_max` bytes,
/// cut at a character. Gives the number of bytes. What no escape means becomes U+FFFD, as does half
/// a surrogate pair.
[[nodiscard]] std::size_t decode_json_text(std::string_view raw, char* out, std::size_t bytes_max);

}  // namespace liminal::wire
