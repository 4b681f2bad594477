#include "core/engine/options.hpp"

#include <utility>

namespace liminal::engine {

Problems validate(const Options& options) {
  Problems found = limits::validate(options.limits);
  const auto add = [&found](std::string_view at, const Problems& more) {
    for (const Problem& problem : more)
      found.push_back({std::string(at) + "." + problem.key, problem.text});
  };
  add("detect", detect::validate(options.detect));
  add("alerts", validate(options.alerts));
  add("engine.crowd", features::validate(options.crowd));
  const auto within = [&found](std::string key, std::uint32_t value, std::uint32_t most) {
    if (value < 1 || value > most)
      found.push_back({std::move(key), "must be between 1 and " + std::to_string(most)});
  };
  within("engine.users_max", options.users_max, 1U << 24);
  within("engine.addresses_max", options.addresses_max, 1U << 24);
  within("engine.overrides_max", options.overrides_max, 1U << 20);
  if (options.row_interval < std::chrono::seconds{1})
    found.push_back({"engine.row_interval", "must be at least 1 s"});
  if (options.horizon < std::chrono::seconds{1} || options.horizon > std::chrono::hours{1})
    found.push_back({"engine.horizon", "must be between 1 s and 1 h"});
  return found;
}

Settings::Settings(Options given)
    : options(std::move(given)), policies(options.limits), rules(options.detect) {}

}  // namespace liminal::engine
