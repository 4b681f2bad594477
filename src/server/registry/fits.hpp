#pragma once

#include "core/base/problem.hpp"
#include "core/learn/registered.hpp"

namespace liminal::registry {

/// What keeps a model of this description from taking the place of a definition's: features that
/// are missing, not asked for, in another place, or, of users' own, in another unit than now.
/// Others of users' features may have changed: it does not look at them. Empty when nothing does.
[[nodiscard]] Problems differences(const learn::ModelDefinition& definition,
                                   const models::Metadata& metadata);

/// kConflict, with the differences as its problems, when there are some, or for another task.
[[nodiscard]] learn::Asked<void> fits(const learn::ModelDefinition& definition,
                                      const models::Metadata& metadata);

}  // namespace liminal::registry
