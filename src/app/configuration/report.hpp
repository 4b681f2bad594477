#pragma once

#include <string>

#include "app/configuration/loader.hpp"

namespace liminal::app {

/// The configuration in force as a file that would give it again: every key with its help, and
/// where its value comes from. Secrets are not shown. A mode that follows the general one is a
/// comment, so that it follows still when the general one is given another way.
[[nodiscard]] std::string print(const Loaded& loaded);

/// The same without a comment: values alone.
[[nodiscard]] std::string print_values(const Loaded& loaded);

/// docs/configuration.md, from the table of settings.
[[nodiscard]] std::string reference();

}  // namespace liminal::app
