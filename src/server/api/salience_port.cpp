#include "server/api/salience_port.hpp"

#include "core/salience/alert.hpp"

namespace liminal::api {

salience::Judgement SaliencePort::judge(const traffic::Alert& alert) const {
  return salience::judge(salience::fields_of(alert));
}

std::vector<salience::Judgement> SaliencePort::judge(std::span<const Asked> events) const {
  std::vector<salience::Judgement> judged;
  judged.reserve(events.size());
  for (const Asked& event : events) judged.push_back(salience::judge(event.fields));
  return judged;
}

std::vector<salience::Incident> SaliencePort::incidents(const salience::IncidentQuery&,
                                                        SteadyTime) const {
  return {};
}

bool SaliencePort::later(std::function<void()> task) {
  task();
  return true;
}

}  // namespace liminal::api
