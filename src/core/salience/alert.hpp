#pragma once

#include <cstdint>
#include <string>

#include "core/base/ids.hpp"
#include "core/salience/prior.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::salience {

/// What an alert says of itself: its severity, and its confidence as its value.
[[nodiscard]] Fields fields_of(const traffic::Alert& alert);

/// A member of an incident (`traffic::alert_key`) in the words of the API ("17-42").
[[nodiscard]] std::string alert_of(std::uint64_t member);

}  // namespace liminal::salience
