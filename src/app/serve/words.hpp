#pragma once

#include <string>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"

namespace liminal::app {

/// An error in words, for the log and whoever starts the program.
[[nodiscard]] std::string words(const Error& error);
/// "KEY: what is wrong", for the same.
[[nodiscard]] std::string words(const Problem& problem);

}  // namespace liminal::app
