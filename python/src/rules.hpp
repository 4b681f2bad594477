#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/detect/options.hpp"

namespace liminal::python {

/// Rules as a JSON object by name: the type that they find, with its feature behind a slash when it
/// is not the type's first ("message_flood/burstiness"). The words of a rule are those of the
/// configuration; durations are seconds.
[[nodiscard]] std::string rules_json(const std::vector<detect::RuleOptions>& rules);

/// Reads the same. What a rule does not say is as in the rule of that type and feature that is
/// there by default; without one, feature and threshold are needed. Problems have paths below
/// "detection_rules".
[[nodiscard]] std::vector<detect::RuleOptions> read_rules(std::string_view json,
                                                          Problems& problems);

}  // namespace liminal::python
