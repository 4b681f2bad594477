#include <fmt/format.h>

#include "app/configuration/choices.hpp"
#include "app/configuration/configuration.hpp"
#include "app/configuration/table.hpp"
#include "app/configuration/table_parts.hpp"

namespace liminal::app {
namespace {

using C = Configuration;
using Settings = std::vector<Setting>;

constexpr std::array<std::string_view, 3> kProfiles{"chat", "game", "telemetry"};
constexpr std::array<std::string_view, 2> kComparisons{"above", "below"};

std::string_view finding_name(traffic::FindingType type) { return traffic::info(type).name; }
std::string_view feature_name(traffic::FeatureId feature) { return traffic::info(feature).name; }

void add_ring(Settings& all) {
  all.push_back({.key = "detect.ring.users_max",
                 .slot = [](C& c) -> Slot { return &c.detect.ring.users_max; },
                 .help = "New users of one address within 10 minutes above which the address is "
                         "reported, whatever they do.",
                 .low = 2,
                 .high = 1e6});
  all.push_back({.key = "detect.ring.severity",
                 .slot = [](C& c) -> Slot { return choice(c.detect.ring.severity, kSeverities); },
                 .help = "How bad that is."});
  all.push_back({.key = "detect.ring.action",
                 .slot = [](C& c) -> Slot { return choice(c.detect.ring.action, kActions); },
                 .help = "What alerts recommend to do about it; not `drop` or `close`."});
  all.push_back({.key = "detect.ring.mode",
                 .slot = [](C& c) -> Slot { return choice(c.detect.ring.mode, kModes); },
                 .help = "How far it is trusted."});
  all.push_back({.key = "detect.ring.cool_down",
                 .slot = [](C& c) -> Slot { return &c.detect.ring.cool_down; },
                 .help = "The time to the next word about the same address.",
                 .low = 0,
                 .high = 86'400});
  all.push_back({.key = "detect.ring.addresses_max",
                 .slot = [](C& c) -> Slot { return &c.detect.ring.addresses_max; },
                 .help = "Addresses that are kept, 232 B each; the longest unused goes first.",
                 .low = 64,
                 .high = 16'777'216,
                 .change = Change::kRestart});
}

void add_model(Settings& all) {
  all.push_back({.key = "detect.model.mode",
                 .slot = [](C& c) -> Slot { return choice(c.detect.model.mode, kModes); },
                 .help = "How far the champion of anomaly_detection is trusted, where there is "
                         "one."});
  all.push_back({.key = "detect.model.action",
                 .slot = [](C& c) -> Slot { return choice(c.detect.model.action, kActions); },
                 .help = "What to do about what it finds, and what enforce does; not drop or "
                         "close, because it answers after the message."});
  all.push_back({.key = "detect.model.every",
                 .slot = [](C& c) -> Slot { return &c.detect.model.every; },
                 .help = "It is asked about every so many messages of a user.",
                 .low = 1,
                 .high = 255});
  all.push_back({.key = "detect.model.near_ratio",
                 .slot = [](C& c) -> Slot { return &c.detect.model.near_ratio; },
                 .help = "And once a second, while a feature of the user is beyond this share of a "
                         "rule's threshold.",
                 .low = .1,
                 .high = 1});
  all.push_back({.key = "detect.model.messages_min",
                 .slot = [](C& c) -> Slot { return &c.detect.model.messages_min; },
                 .help = "Messages of a user below which there is too little to go by.",
                 .low = 1,
                 .high = 255});
  all.push_back({.key = "detect.model.cool_down",
                 .slot = [](C& c) -> Slot { return &c.detect.model.cool_down; },
                 .help = "The time to its next word about the same user.",
                 .low = 0,
                 .high = 86'400});
  all.push_back({.key = "detect.model.row_budget",
                 .slot = [](C& c) -> Slot { return &c.inference.row_budget; },
                 .help = "What it may take for one row of features; one that is slower is taken "
                         "out of the path of messages, with an alert. A batch counts as of "
                         "sixteen rows at least.",
                 .low = 1e-7,
                 .high = 1,
                 .change = Change::kRestart});
  all.push_back({.key = "detect.model.foreign_row_budget",
                 .slot = [](C& c) -> Slot { return &c.inference.foreign_row_budget; },
                 .help = "The same of a model of others, which answers on a thread of its own and "
                         "delays no message.",
                 .low = 1e-7,
                 .high = 1,
                 .change = Change::kRestart});
  all.push_back({.key = "detect.model.patience",
                 .slot = [](C& c) -> Slot { return &c.inference.patience; },
                 .help = "Answers of a foreign model that take longer are dropped and counted; one "
                         "that does not come back for so long is taken out.",
                 .low = .01,
                 .high = 60,
                 .change = Change::kRestart});
}

void add_statistics(Settings& all) {
  for (std::size_t i = 0; i < traffic::kDetectors; ++i) {
    const auto detector = static_cast<traffic::Detector>(i);
    // Rules and models are configured at their own place; the population is nobody's statistic.
    if (detector == traffic::Detector::kRule || detector == traffic::Detector::kModel ||
        detector == traffic::Detector::kPopulation)
      continue;
    const std::string key = fmt::format("detect.statistics.{}", traffic::name(detector));
    all.push_back(
        {.key = key + ".mode",
         .slot = [i](C& c) -> Slot { return choice(c.detect.statistics[i].mode, kModes); },
         .help = "How far this statistic is trusted."});
    all.push_back({.key = key + ".line_factor",
                   .slot = [i](C& c) -> Slot { return &c.detect.statistics[i].line_factor; },
                   .help = "Its alarm line as a multiple of the measured one: above 1 it speaks "
                           "later.",
                   .low = .25,
                   .high = 4});
  }
}

}  // namespace

void add_detect_settings(Settings& all) {
  all.push_back({.key = "detect.profile",
                 .slot = [](C& c) -> Slot { return choice(c.detect.profile, kProfiles); },
                 .help = "What traffic looks like before anything was seen of it: people who talk, "
                         "games that send 5 to 20 messages a second, devices on a timer.",
                 .change = Change::kRestart});
  all.push_back({.key = "detect.warm_up",
                 .slot = [](C& c) -> Slot { return &c.detect.warm_up; },
                 .help = "While nothing is known of the population, statistics relative to it hold "
                         "back for so long.",
                 .low = 0,
                 .high = 86'400});
  add_ring(all);
  add_model(all);
  add_statistics(all);
}

void add_alert_settings(Settings& all) {
  all.push_back({.key = "alerts.calm",
                 .slot = [](C& c) -> Slot { return &c.alerts.calm; },
                 .help = "An alert is resolved when there was no finding for so long; a later "
                         "finding is a new alert.",
                 .low = 1,
                 .high = 86'400});
  all.push_back({.key = "alerts.update_interval",
                 .slot = [](C& c) -> Slot { return &c.alerts.update_interval; },
                 .help = "The growth of an open alert is told at most so often.",
                 .low = 0.1,
                 .high = 3'600});
  all.push_back({.key = "alerts.escalate_at",
                 .slot = [](C& c) -> Slot { return &c.alerts.escalate_at; },
                 .help = "So many detectors that agree on a user raise the severity by a step, "
                         "twice as many by two.",
                 .low = 2,
                 .high = 17});
  all.push_back({.key = "alerts.open_max",
                 .slot = [](C& c) -> Slot { return &c.alerts.open_max; },
                 .help = "Open alerts a shard keeps; beyond it the quietest is resolved.",
                 .low = 16,
                 .high = 1'000'000});
}

std::vector<Setting> rule_settings(std::size_t rule) {
  const auto key = [rule](std::string_view field) {
    return fmt::format("detect.rules[{}].{}", rule, field);
  };
  const auto of = [rule](C& c) -> detect::RuleOptions& { return c.detect.rules.at(rule); };
  Settings fields;
  fields.push_back({.key = key("type"),
                    .slot = [of](C& c) -> Slot {
                      return choice_of<traffic::FindingType, traffic::kFindingTypes>(of(c).type,
                                                                                     finding_name);
                    },
                    .help = "What is found (docs/detections.md). Required."});
  fields.push_back({.key = key("feature"),
                    .slot = [of](C& c) -> Slot {
                      return choice_of<traffic::FeatureId, traffic::kFeatureCount>(of(c).feature,
                                                                                   feature_name);
                    },
                    .help = "The feature that is looked at."});
  fields.push_back({.key = key("comparison"),
                    .slot = [of](C& c) -> Slot { return choice(of(c).comparison, kComparisons); },
                    .help = "On which side of the threshold the rule speaks."});
  fields.push_back({.key = key("threshold"),
                    .slot = [of](C& c) -> Slot { return &of(c).threshold; },
                    .help = "The line, in the feature's unit.",
                    .low = -1,
                    .high = 1e12});
  fields.push_back({.key = key("ordinary_factor"),
                    .slot = [of](C& c) -> Slot { return &of(c).ordinary_factor; },
                    .help = "Silent about who sends no more than this many times the population's "
                            "ordinary messages a minute; 0 does not ask.",
                    .low = 0,
                    .high = 1000});
  fields.push_back({.key = key("messages_min"),
                    .slot = [of](C& c) -> Slot { return &of(c).messages_min; },
                    .help = "Messages in the last minute below which there is too little to go by.",
                    .low = 0,
                    .high = 1e6});
  fields.push_back({.key = key("severity"),
                    .slot = [of](C& c) -> Slot { return choice(of(c).severity, kSeverities); },
                    .help = "How bad it is."});
  fields.push_back({.key = key("cool_down"),
                    .slot = [of](C& c) -> Slot { return &of(c).cool_down; },
                    .help =
                        "The time to the next word about the same user; what drops or closes goes "
                        "on meanwhile.",
                    .low = 0,
                    .high = 86'400});
  fields.push_back({.key = key("action"),
                    .slot = [of](C& c) -> Slot { return choice(of(c).action, kActions); },
                    .help = "What to do about it, and what enforce does."});
  fields.push_back({.key = key("mode"),
                    .slot = [of](C& c) -> Slot { return choice(of(c).mode, kModes); },
                    .help = "How far the rule is trusted; by default as `mode` says."});
  return fields;
}

}  // namespace liminal::app
