#pragma once

#include "core/salience/incidents.hpp"
#include "io/json/writer.hpp"

namespace liminal::json {

/// Writes an incident, as it is at a moment (`salience::Incidents::seen`), as the API's schema
/// Incident has it.
void write(const salience::Incident& incident, Writer& out);

}  // namespace liminal::json
