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

/// What is another, for people: `mode: "shadow" -> "enforce", …`. Of a rule or an actor the list
/// that it is in, of a secret or a long value the key alone. At most 1,000 bytes.
[[nodiscard]] std::string describe_changes(const Configuration& before, const Configuration& after);

/// Whether an actor is the same but for its mode.
[[nodiscard]] bool same_actor(const Configuration::ScalingActor& a,
                              const Configuration::ScalingActor& b);

}  // namespace liminal::app
