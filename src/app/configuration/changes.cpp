#include "app/configuration/changes.hpp"

#include <algorithm>

#include "app/configuration/table.hpp"

namespace liminal::app {

bool same_actor(const Configuration::ScalingActor& a, const Configuration::ScalingActor& b) {
  actor::Target target = a.target;
  target.mode = b.target.mode;
  return target == b.target && a.token_file == b.token_file;
}

std::vector<std::string> needs_restart(const Configuration& present, const Configuration& wanted) {
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) {
    if (setting.change == Change::kRestart &&
        value_text(setting, present) != value_text(setting, wanted))
      keys.push_back(setting.key);
  }
  const auto& before = present.scaling.actors;
  const auto& after = wanted.scaling.actors;
  if (!std::equal(before.begin(), before.end(), after.begin(), after.end(), same_actor))
    keys.emplace_back("scaling.actors");
  return keys;
}

}  // namespace liminal::app
