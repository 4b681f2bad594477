#pragma once

#include <cstdint>
#include <optional>

#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::training {

// What a version of a model says beside the path of messages.

/// The group that a user is like, by its features now. None when the model is of something else
/// than users, or a foreign one, for which one would have to wait.
[[nodiscard]] std::optional<learn::UserGroup> group_of(const learn::ModelDefinition& definition,
                                                       const models::Scorer& scorer,
                                                       std::uint32_t version,
                                                       const traffic::Features& features);

/// The load five minutes after a minute, with the interval that holds the truth in 90 % of cases,
/// where the model has one. None when it does not answer. A foreign model is waited for.
[[nodiscard]] std::optional<learn::LoadForecast> load_after(
    const learn::ModelDefinition& definition,
    const models::Scorer& scorer,
    std::uint32_t version,
    const learn::MinuteTotal& total);

}  // namespace liminal::training
