#pragma once

#include <string_view>

namespace liminal {

/// What an HTTP status is called (RFC 9110, RFC 6585): "Not Found" for 404; "Unknown" for one that
/// Liminal neither gives nor passes on.
[[nodiscard]] std::string_view reason_phrase(unsigned status);

}  // namespace liminal
