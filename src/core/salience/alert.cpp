#include "core/salience/alert.hpp"

namespace liminal::salience {

Fields fields_of(const traffic::Alert& alert) {
  Fields fields;
  fields[Field::kSeverity] = severity_log_odds(traffic::name(alert.severity)).value_or(0);
  fields[Field::kValue] = static_cast<double>(alert.worst.confidence);
  return fields;
}

std::string alert_of(std::uint64_t member) {
  const auto [shard, number] = traffic::alert_of_key(member);
  return traffic::alert_id(shard, number);
}

}  // namespace liminal::salience
