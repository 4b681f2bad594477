#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace liminal::app {

/// What `liminal top` shows, from the answers of GET /ml/status, /ml/anomalies/recent,
/// /ml/incidents and /ml/users. Pure: the same answers and size give the same text. At most
/// `height` lines of at most `width` characters, without a newline at the end; with colours as ANSI
/// sequences when `colour`.
[[nodiscard]] std::string render_top(const nlohmann::json& status,
                                     const nlohmann::json& alerts,
                                     const nlohmann::json& incidents,
                                     const nlohmann::json& users,
                                     std::size_t width,
                                     std::size_t height,
                                     bool colour);

}  // namespace liminal::app
