#include "engine_options.hpp"

#include "rules.hpp"

namespace liminal::python {

engine::Options engine_options(std::string_view profile,
                               std::string_view mode,
                               nb::handle detection_rules) {
  engine::Options options;
  const auto known_profile = detect::profile_by_name(profile);
  if (!known_profile) raise_value("profile", "must be chat, game or telemetry");
  options.detect.profile = *known_profile;
  const auto known_mode = traffic::mode_by_name(mode);
  if (!known_mode) raise_value("mode", "must be observe, shadow or enforce");
  options.limits.mode = *known_mode;
  for (auto& rule : options.detect.rules) rule.mode = *known_mode;
  for (auto& statistic : options.detect.statistics) statistic.mode = *known_mode;
  options.detect.ring.mode = *known_mode;
  if (!detection_rules.is_none()) {
    Problems problems;
    options.detect.rules = read_rules(to_json(detection_rules), problems);
    raise_if_any(problems);
  }
  return options;
}

}  // namespace liminal::python
