#include <fmt/core.h>

#include <memory>

#include "app/command.hpp"
#include "app/configuration/report.hpp"
#include "app/configuration_options.hpp"

namespace liminal::app {

void add_check_config(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("check-config", "Check a configuration, and name all that is wrong");
  auto options = std::make_shared<ConfigurationOptions>();
  options->add_to(*command);
  command->footer(
      "\nChecks file, environment and flags together, as `liminal serve` would read them, and the\n"
      "files of keys, certificates and tokens that they name. Exits with 2 when anything is "
      "wrong;\n"
      "each problem names its place and its key.\n");
  command->callback([&chosen, options] {
    chosen = [options] {
      if (!load_for_server_or_complain(*options)) return ExitCode::kUsage;
      fmt::print("the configuration is valid\n");
      return ExitCode::kDone;
    };
  });
}

void add_print_config(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("print-config", "Print the configuration in force as a commented file");
  auto options = std::make_shared<ConfigurationOptions>();
  auto as_reference = std::make_shared<bool>(false);
  options->add_to(*command);
  command->add_flag("--reference", *as_reference, "Print docs/configuration.md instead");
  command->footer(
      "\nTo start a file of your own:\n"
      "  liminal print-config > liminal.toml\n");
  command->callback([&chosen, options, as_reference] {
    chosen = [options, as_reference] {
      if (*as_reference) {
        fmt::print("{}", reference());
        return ExitCode::kDone;
      }
      const auto loaded = load_or_complain(*options);
      if (!loaded) return ExitCode::kUsage;
      fmt::print("{}", print(*loaded));
      return ExitCode::kDone;
    };
  });
}

}  // namespace liminal::app
