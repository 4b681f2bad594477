#pragma once

#include <string>
#include <vector>

#include "app/configuration/configuration.hpp"

namespace liminal::app {

/// What is another in a new configuration and counts only from the next start: keys of the table
/// that are marked so, and "scaling.actors" when it has other actors, or one of them is another in
/// more than its mode.
[[nodiscard]] std::vector<std::string> needs_restart(const Configuration& present,
                                                     const Configuration& wanted);

/// Whether an actor is the same but for its mode.
[[nodiscard]] bool same_actor(const Configuration::ScalingActor& a,
                              const Configuration::ScalingActor& b);

}  // namespace liminal::app
