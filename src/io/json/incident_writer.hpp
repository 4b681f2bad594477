#pragma once

#include <span>
#include <string>

#include "core/salience/incidents.hpp"
#include "io/json/writer.hpp"

namespace liminal::json {

/// Writes an incident, as it is at a moment (`salience::Incidents::seen`), as the API's schema
/// Incident has it.
void write(const salience::Incident& incident, Writer& out);
/// The same with the names of the gateways that told of its alerts.
void write(const salience::Incident& incident, std::span<const std::string> gateways, Writer& out);

}  // namespace liminal::json
