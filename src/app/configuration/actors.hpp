#pragma once

#include <vector>

#include "app/configuration/loader.hpp"
#include "app/configuration/setting.hpp"
#include "app/configuration/written_table.hpp"

namespace liminal::app {

/// Puts the `[[scaling.actors]]` of a file into a configuration. One without a mode of its own is
/// in shadow, whatever the configuration's is: who turns on limits has not yet said that another
/// program may be told to scale. Origins are kept by actor, "scaling.actors[3]".
void apply_actors(const std::vector<WrittenTable>& actors, Loaded& loaded);

/// The fields of an actor of a configuration, which is made where it is missing: that is how the
/// reference knows their types.
[[nodiscard]] std::vector<Setting> actor_settings(std::size_t actor);

}  // namespace liminal::app
