#include "app/version.hpp"

#include <fmt/core.h>

#include "app/command.hpp"

namespace liminal::app {

std::string_view version() { return LIMINAL_VERSION; }

void add_version(CLI::App& parent, Run& chosen) {
  parent.add_subcommand("version", "Print the version")->callback([&chosen] {
    chosen = [] {
      fmt::print("{}\n", version());
      return ExitCode::kDone;
    };
  });
}

}  // namespace liminal::app
