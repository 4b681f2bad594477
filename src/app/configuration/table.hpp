#pragma once

#include <string_view>
#include <vector>

#include "app/configuration/setting.hpp"

namespace liminal::app {

/// Every key that there is, in the order of the documentation: keys of one table stand together.
[[nodiscard]] const std::vector<Setting>& settings();

/// Nothing when there is no such key.
[[nodiscard]] const Setting* find_setting(std::string_view key);

}  // namespace liminal::app
