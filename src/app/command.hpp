#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace liminal::app {

/// What ends a run of the program. Scripts rely on the numbers.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,  ///< and said why on the error output
  kUsage = 2,   ///< wrong command line or configuration: nothing was done
};

/// What the command line chose, to be run after all of it was parsed.
using Run = std::function<ExitCode()>;

/// Each command is one file that adds itself to the command line: its options, its help, and
/// `chosen = …` when its word was used.
void add_anomaly(CLI::App& parent, Run& chosen);
void add_check_config(CLI::App& parent, Run& chosen);
void add_completion(CLI::App& parent, Run& chosen);
void add_explain(CLI::App& parent, Run& chosen);
void add_experiments(CLI::App& parent, Run& chosen);
void add_forecast(CLI::App& parent, Run& chosen);
void add_models(CLI::App& parent, Run& chosen);
void add_play(CLI::App& parent, Run& chosen);
void add_predict(CLI::App& parent, Run& chosen);
void add_print_config(CLI::App& parent, Run& chosen);
void add_replay(CLI::App& parent, Run& chosen);
void add_salience(CLI::App& parent, Run& chosen);
void add_serve(CLI::App& parent, Run& chosen);
void add_top(CLI::App& parent, Run& chosen);
void add_train(CLI::App& parent, Run& chosen);
void add_version(CLI::App& parent, Run& chosen);

}  // namespace liminal::app
