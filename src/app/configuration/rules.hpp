#pragma once

#include <vector>

#include "app/configuration/loader.hpp"
#include "app/configuration/written_table.hpp"

namespace liminal::app {

/// Puts rules of a file into a configuration. One of the `type` of a default rule (and of its
/// `feature`, when it names one) changes what it says of that rule; another is a new rule, which
/// needs `feature` and `threshold`; `remove = true` takes a default rule away. Rules without a
/// mode of their own get that of the configuration. Origins are kept by rule, "detect.rules[3]".
void apply_rules(const std::vector<WrittenTable>& rules, Loaded& loaded);

}  // namespace liminal::app
