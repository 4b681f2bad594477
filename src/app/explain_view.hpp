#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace liminal::app {

/// The answer of GET /ml/anomalies/{id}/explain as text for a person: what, who, and each signal
/// with what was seen, what was to be expected and how much of the score it makes.
[[nodiscard]] std::string render_explanation(const nlohmann::json& explanation);

}  // namespace liminal::app
