#include "app/configuration/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "app/configuration/actors.hpp"
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

std::string describe_changes(const Configuration& before, const Configuration& after) {
  constexpr std::size_t kBytesMax = 1'000, kValuesMax = 100;
  constexpr std::string_view kMore = ", …";
  std::string out;
  const auto add = [&](std::string_view what) {
    const bool full = out.size() + what.size() + 2 * kMore.size() > kBytesMax;
    if (out.ends_with(kMore)) return;
    out += full ? kMore : fmt::format("{}{}", out.empty() ? "" : ", ", what);
  };
  for (const Setting& setting : settings()) {
    const std::string was = value_text(setting, before), is = value_text(setting, after);
    if (was == is) continue;
    const bool is_short = was.size() + is.size() <= kValuesMax;
    add(is_short && !setting.secret ? fmt::format("{}: {} -> {}", setting.key, was, is)
                                    : setting.key);
  }
  const auto same = [&](const auto& had, const auto& has, auto fields_of) {
    if (had.size() != has.size()) return false;
    for (std::size_t i = 0; i < had.size(); ++i) {
      for (const Setting& field : fields_of(i)) {
        if (value_text(field, before) != value_text(field, after)) return false;
      }
    }
    return true;
  };
  if (!same(before.detect.rules, after.detect.rules, rule_settings)) add("detect.rules");
  if (!same(before.scaling.actors, after.scaling.actors, actor_settings)) add("scaling.actors");
  return out;
}

}  // namespace liminal::app
