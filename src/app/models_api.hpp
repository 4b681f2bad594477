#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "app/client_options.hpp"
#include "app/command.hpp"

namespace liminal::app {

/// `train`, `unload`, `report` and `jobs` of `liminal models`, which a running server answers.
void add_model_calls(CLI::App& models, Run& chosen);
/// `begin` and `stop` of `liminal experiments`, likewise.
void add_experiment_calls(CLI::App& experiments, Run& chosen);

/// What `load` and `show` do where a server is named. Version 0: what was last champion.
[[nodiscard]] ExitCode load_by_api(const ClientOptions& server,
                                   const std::string& model,
                                   std::uint32_t version);
[[nodiscard]] ExitCode show_experiment_by_api(const ClientOptions& server, std::uint64_t id);

}  // namespace liminal::app
