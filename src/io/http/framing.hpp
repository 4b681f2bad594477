#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "io/http/message.hpp"

namespace liminal::http {

/// Everything of an answer that stands before its body: Date and how the body's end is told among
/// it. One with a `rest` is chunked.
[[nodiscard]] std::string response_head(const Response& response, bool keep_alive);

/// What stands before so many bytes in chunked coding. Of none it is empty: a chunk of nothing
/// would be the last one.
[[nodiscard]] std::string chunk_head(std::size_t bytes);

/// What stands behind them; lives for ever.
[[nodiscard]] std::string_view chunk_tail(std::size_t bytes, Piece::Then then);

}  // namespace liminal::http
