#include "app/configuration/choices.hpp"

namespace liminal::app {

Choice mode_or_inherited(std::optional<traffic::Mode>& slot) {
  Choice modes;
  modes.words = {kModes.begin(), kModes.end()};
  modes.words.push_back(kInherit);
  modes.get = [&slot] { return slot ? traffic::name(*slot) : kInherit; };
  modes.set = [&slot](std::string_view word) { slot = traffic::mode_by_name(word); };
  return modes;
}

}  // namespace liminal::app
