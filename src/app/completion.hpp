#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace liminal::app {

enum class Shell { kBash, kZsh, kFish };

/// Writes a script that completes the commands and options of `program` in a shell. It is made
/// from the command line itself, so it knows every option that there is.
[[nodiscard]] std::string completion_script(const CLI::App& program, Shell shell);

}  // namespace liminal::app
