#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <string>

namespace liminal::app {

/// What is misspelt in a command line that could not be parsed: the first word that is no command
/// where one is expected, or the first long option that its command does not have, and what was
/// most likely meant. Nothing when it is neither.
[[nodiscard]] std::optional<std::string> misspelt(const CLI::App& program,
                                                  std::span<const char* const> arguments);

}  // namespace liminal::app
