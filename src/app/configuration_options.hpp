#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/configuration/loader.hpp"

namespace liminal::app {

/// The part of a command line that configures: `--config`, the flags that the table of settings
/// names, and `--set KEY=VALUE` for all other keys.
class ConfigurationOptions {
 public:
  /// Adds the options to a command. The object must live as long as the command.
  void add_to(CLI::App& command);

  /// Reads file, environment and flags. A file that cannot be read is a problem of the result.
  [[nodiscard]] Loaded load() const;

 private:
  std::string file_;
  std::vector<std::pair<std::string, std::vector<std::string>>> flags_;  ///< by key
  std::vector<std::string> sets_;
};

/// Loads, writes warnings and problems to the error output, and gives nothing when there are any
/// problems: the command then ends with `ExitCode::kUsage`.
[[nodiscard]] std::optional<Loaded> load_or_complain(const ConfigurationOptions& options);

/// The same for a server: the keys, certificates and tokens that it names must be there too.
[[nodiscard]] std::optional<Loaded> load_for_server_or_complain(
    const ConfigurationOptions& options);

}  // namespace liminal::app
