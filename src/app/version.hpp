#pragma once

#include <string_view>

namespace liminal::app {

/// "0.1.0", as the file VERSION says.
[[nodiscard]] std::string_view version();

}  // namespace liminal::app
