#pragma once

#include <string>

#include "core/base/result.hpp"

namespace liminal::app {

/// An error in words, for the log and whoever starts the program.
[[nodiscard]] std::string words(const Error& error);

}  // namespace liminal::app
