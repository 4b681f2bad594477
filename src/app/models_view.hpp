#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace liminal::app {

/// What `liminal models` and `liminal experiments` show of a server's answers. Pure; every line
/// ends with a newline; control characters of the answers are shown as "?".

/// GET /ml/jobs/{id}: what came of it and why, or how far it is; then its leaderboard.
[[nodiscard]] std::string render_job(const nlohmann::json& job);
/// GET /ml/jobs: a line each.
[[nodiscard]] std::string render_jobs(const nlohmann::json& answer);
/// GET /ml/experiments/{id}: what was found, and the decision log.
[[nodiscard]] std::string render_experiment(const nlohmann::json& experiment);

}  // namespace liminal::app
