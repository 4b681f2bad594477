#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "app/configuration/loader.hpp"
#include "app/configuration/written_table.hpp"

namespace liminal::app {

/// Puts rules of a file into a configuration. One of the `type` of a default rule (and of its
/// `feature`, when it names one) changes what it says of that rule; another is a new rule, which
/// needs `feature` and `threshold`; `remove = true` takes a default rule away. Rules without a
/// mode of their own get that of the configuration. Origins are kept by rule, "detect.rules[3]".
///
/// All that is wrong with a rule is named, even when it is not known which rule is meant. Problems
/// count rules as the file does. Returns for each rule of the configuration which one of the file
/// (the last one) spoke of it; nothing for those that are as by default.
std::vector<std::optional<std::size_t>> apply_rules(const std::vector<WrittenTable>& rules,
                                                    Loaded& loaded);

}  // namespace liminal::app
