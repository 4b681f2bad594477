#include <fmt/format.h>

#include "app/configuration/choices.hpp"
#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"

namespace liminal::app {
namespace {

using C = Configuration;
using Settings = std::vector<Setting>;

/// A rate's three keys. `of` finds it in a configuration.
void add_rate(Settings& all,
              const std::string& key,
              std::function<limits::RateOptions&(C&)> of,
              const std::string& what) {
  all.push_back({.key = key + ".per_second",
                 .slot = [of](C& c) -> Slot { return &of(c).per_second; },
                 .help = what + " a second, as a lasting rate; 0: no limit.",
                 .low = 0,
                 .high = 1e9});
  all.push_back({.key = key + ".burst",
                 .slot = [of](C& c) -> Slot { return &of(c).burst; },
                 .help = what + " that may come at once after a pause.",
                 .low = 0,
                 .high = 4e9});
  all.push_back({.key = key + ".mode",
                 .slot = [of](C& c) -> Slot { return mode_or_inherited(of(c).mode); },
                 .help = "How far it is trusted; inherit: as limits.mode says."});
}

void add_cap(Settings& all,
             const std::string& key,
             std::function<limits::CapOptions&(C&)> of,
             const std::string& what,
             Unit unit = Unit::kNone) {
  all.push_back({.key = key + ".max",
                 .slot = [of](C& c) -> Slot { return &of(c).max; },
                 .help = what + "; 0: no limit.",
                 .low = 0,
                 .high = 4e9,
                 .unit = unit});
  all.push_back({.key = key + ".mode",
                 .slot = [of](C& c) -> Slot { return mode_or_inherited(of(c).mode); },
                 .help = "How far it is trusted; inherit: as limits.mode says."});
}

void add_subject(Settings& all,
                 const std::string& name,
                 std::function<limits::SubjectOptions&(C&)> of) {
  const std::string key = "limits." + name;
  add_rate(
      all,
      key + ".messages",
      [of](C& c) -> limits::RateOptions& { return of(c).messages; },
      "Messages of one " + name);
  add_rate(
      all,
      key + ".messages_sustained",
      [of](C& c) -> limits::RateOptions& { return of(c).messages_sustained; },
      "Beside that rate, over longer times: messages of one " + name);
  add_rate(
      all,
      key + ".bytes",
      [of](C& c) -> limits::RateOptions& { return of(c).bytes; },
      "Bytes of one " + name);
  add_rate(
      all,
      key + ".bytes_sustained",
      [of](C& c) -> limits::RateOptions& { return of(c).bytes_sustained; },
      "Beside that rate, over longer times: bytes of one " + name);
}

void add_caps(Settings& all) {
  add_cap(
      all,
      "limits.user_connections",
      [](C& c) -> limits::CapOptions& { return c.limits.user_connections; },
      "Connections of one user at once");
  add_cap(
      all,
      "limits.address_connections",
      [](C& c) -> limits::CapOptions& { return c.limits.address_connections; },
      "Connections of one address at once");
  add_cap(
      all,
      "limits.message_bytes",
      [](C& c) -> limits::CapOptions& { return c.limits.message_bytes; },
      "Bytes of one message",
      Unit::kBytes);
}

void add_controller(Settings& all) {
  const auto add = [&all](const char* name, auto slot, const char* help, double low, double high) {
    all.push_back({.key = fmt::format("limits.controller.{}", name),
                   .slot = slot,
                   .help = help,
                   .low = low,
                   .high = high});
  };
  add(
      "enabled",
      [](C& c) -> Slot { return &c.limits.controller.enabled; },
      "Moves each user's rate between floor and ceiling, by what is found and by habits.",
      0,
      0);
  add(
      "floor_ratio",
      [](C& c) -> Slot { return &c.limits.controller.floor_ratio; },
      "Of the configured rate, never below.",
      1. / 64,
      1);
  add(
      "ceiling_ratio",
      [](C& c) -> Slot { return &c.limits.controller.ceiling_ratio; },
      "Of the configured rate, never above.",
      1,
      64);
  add(
      "calm_score",
      [](C& c) -> Slot { return &c.limits.controller.calm_score; },
      "The anomaly score (1 is the alarm line) from which on a user is slowed down.",
      0,
      1);
  add(
      "worst_score",
      [](C& c) -> Slot { return &c.limits.controller.worst_score; },
      "The anomaly score at which the floor is the target.",
      0,
      200);
  add(
      "slow_down",
      [](C& c) -> Slot { return &c.limits.controller.slow_down; },
      "Time constant towards the floor.",
      .001,
      86'400);
  add(
      "recover",
      [](C& c) -> Slot { return &c.limits.controller.recover; },
      "Time constant back, when calm: who pauses gains little.",
      .001,
      7 * 86'400);
  add(
      "personal",
      [](C& c) -> Slot { return &c.limits.controller.personal; },
      "Learns a limit of their own for each user from their active minutes, over days.",
      0,
      0);
  add(
      "personal_quantile",
      [](C& c) -> Slot { return &c.limits.controller.personal_quantile; },
      "The quantile of a user's messages per active minute that it starts from.",
      .5,
      1);
  add(
      "personal_headroom",
      [](C& c) -> Slot { return &c.limits.controller.personal_headroom; },
      "So many times that quantile.",
      1,
      100);
  add(
      "personal_floor_ratio",
      [](C& c) -> Slot { return &c.limits.controller.personal_floor_ratio; },
      "Of the configured rate, as far down as habits alone move it.",
      1. / 64,
      1);
  add(
      "personal_minutes_min",
      [](C& c) -> Slot { return &c.limits.controller.personal_minutes_min; },
      "Active minutes before there is a personal limit.",
      1,
      100);
  add(
      "personal_follow",
      [](C& c) -> Slot { return &c.limits.controller.personal_follow; },
      "Time constant with which it follows: so that it cannot be taught fast.",
      1,
      365 * 86'400.);
}

}  // namespace

void add_limit_settings(Settings& all) {
  all.push_back({.key = "limits.mode",
                 .slot = [](C& c) -> Slot { return choice(c.limits.mode, kModes); },
                 .help = "How far all limits without a mode of their own are trusted; by default "
                         "as `mode` says."});
  all.push_back({.key = "limits.delay_max",
                 .slot = [](C& c) -> Slot { return &c.limits.delay_max; },
                 .help = "A message that is early by no more than this is held back and not "
                         "dropped; 0 s: never.",
                 .low = 0,
                 .high = 60});
  all.push_back({.key = "limits.allow_users",
                 .slot = [](C& c) -> Slot { return &c.limits.allow_users; },
                 .help = "Never limited, whatever is found. Exact names."});
  all.push_back({.key = "limits.allow_addresses",
                 .slot = [](C& c) -> Slot { return &c.limits.allow_addresses; },
                 .help = "Never limited, whatever is found. Addresses one by one, as the "
                         "log shows them; no networks."});
  add_subject(all, "user", [](C& c) -> limits::SubjectOptions& { return c.limits.user; });
  add_subject(all, "address", [](C& c) -> limits::SubjectOptions& { return c.limits.address; });
  add_subject(
      all, "connection", [](C& c) -> limits::SubjectOptions& { return c.limits.connection; });
  add_caps(all);
  all.push_back({.key = "limits.close_after.per_second",
                 .slot = [](C& c) -> Slot { return &c.limits.close_after.per_second; },
                 .help = "More dropped messages of a user than this rate close the connection; 0: "
                         "never.",
                 .low = 0,
                 .high = 1e9});
  all.push_back({.key = "limits.close_after.burst",
                 .slot = [](C& c) -> Slot { return &c.limits.close_after.burst; },
                 .help = "Dropped messages that do not yet close it.",
                 .low = 0,
                 .high = 4e9});
  add_controller(all);
}

}  // namespace liminal::app
