#include "io/json/incident_writer.hpp"

#include <string>

#include "core/salience/alert.hpp"

namespace liminal::json {

void write(const salience::Incident& incident, Writer& out) { write(incident, {}, out); }

void write(const salience::Incident& incident, std::span<const std::string> gateways, Writer& out) {
  const bool global = incident.scope == salience::Scope::kGlobal;
  out.begin_object();
  out.field("id", (global ? "global-" : "user-") + std::to_string(incident.number));
  out.field("scope", global ? "global" : "user");
  out.field("status", name(incident.status));
  out.field("title", incident.title());
  out.field("salience", incident.salience);
  out.field("salience_now", incident.salience_now);
  out.field("first_seen", incident.first_seen);
  out.field("last_seen", incident.last_seen);
  out.field("members", incident.members);
  out.field("dismissed", incident.dismissed.size());
  out.key("entities");
  out.begin_array();
  for (const std::string& source : incident.sources) out.value(source);
  out.end_array();
  out.field("entities_count", incident.entities);
  out.key("alerts");
  out.begin_array();
  for (const std::uint64_t member : incident.ids) out.value(salience::alert_of(member));
  out.end_array();
  out.key("gateways");
  out.begin_array();
  for (const std::string& gateway : gateways) out.value(gateway);
  out.end_array();
  out.field("explanation", incident.explanation());
  out.end_object();
}

}  // namespace liminal::json
