#pragma once

#include <string_view>
#include <vector>

#include "app/configuration/setting.hpp"

namespace liminal::app {

/// Every key that there is, in the order of the documentation: keys of one table stand together.
[[nodiscard]] const std::vector<Setting>& settings();

/// Nothing when there is no such key.
[[nodiscard]] const Setting* find_setting(std::string_view key);

/// The fields of one detection rule, an element of the list `detect.rules`; their keys are
/// "detect.rules[3].threshold". The configuration must have that many rules.
[[nodiscard]] std::vector<Setting> rule_settings(std::size_t rule);

}  // namespace liminal::app
