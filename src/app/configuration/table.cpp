#include "app/configuration/table.hpp"

#include <fmt/format.h>

#include <array>
#include <span>

#include "app/configuration/configuration.hpp"

namespace liminal::app {
namespace {

using C = Configuration;
using Settings = std::vector<Setting>;

constexpr std::array<std::string_view, 3> kModes{"observe", "shadow", "enforce"};
constexpr std::array<std::string_view, 4> kSeverities{"low", "medium", "high", "critical"};
constexpr std::array<std::string_view, 5> kActions{
    "watch", "limit", "drop", "close", "investigate"};
constexpr std::array<std::string_view, 3> kProfiles{"chat", "game", "telemetry"};
constexpr std::array<std::string_view, 2> kComparisons{"above", "below"};
constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats{"text", "json"};

/// A slot for an enumeration whose values count up from zero in the order of the words.
template <class Enum>
Choice choice(Enum& slot, std::span<const std::string_view> words) {
  return {{words.begin(), words.end()},
          [&slot, words] { return words[static_cast<std::size_t>(slot)]; },
          [&slot, words](std::string_view word) {
            for (std::size_t i = 0; i < words.size(); ++i) {
              if (words[i] == word) slot = static_cast<Enum>(i);
            }
          }};
}

/// The same for the closed tables of the core, which name their own values.
template <class Enum, std::size_t N>
Choice choice_of(Enum& slot, std::string_view (*name)(Enum)) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < N; ++i) words.push_back(name(static_cast<Enum>(i)));
  return {words,
          [&slot, name] { return name(slot); },
          [&slot, words](std::string_view word) {
            for (std::size_t i = 0; i < words.size(); ++i) {
              if (words[i] == word) slot = static_cast<Enum>(i);
            }
          }};
}

std::string_view finding_name(traffic::FindingType type) { return traffic::info(type).name; }
std::string_view feature_name(traffic::FeatureId feature) { return traffic::info(feature).name; }

void add_general(Settings& all) {
  all.push_back({.key = "listen",
                 .slot = [](C& c) -> Slot { return &c.listen; },
                 .help = "Where WebSocket clients connect: HOST:PORT. Port 0 picks a free one.",
                 .change = Change::kRestart,
                 .flag = "--listen",
                 .placeholder = "HOST:PORT"});
  all.push_back({.key = "upstreams",
                 .slot = [](C& c) -> Slot { return &c.upstreams; },
                 .help = "The servers behind the gateway: ws://HOST:PORT, wss://HOST:PORT or "
                         "unix:/PATH. Without one the built-in channel hub answers.",
                 .flag = "--upstream",
                 .placeholder = "URL"});
  all.push_back({.key = "data",
                 .slot = [](C& c) -> Slot { return &c.data; },
                 .help = "The folder of everything that survives a restart. It is made when it "
                         "is missing.",
                 .change = Change::kRestart,
                 .flag = "--data",
                 .placeholder = "DIR"});
  all.push_back({.key = "mode",
                 .slot = [](C& c) -> Slot { return choice(c.mode, kModes); },
                 .help = "How far every rule, statistic and policy without a mode of its own is "
                         "trusted: observe counts, shadow also says what it would have done, "
                         "enforce does it.",
                 .flag = "--mode",
                 .placeholder = "MODE"});
  all.push_back({.key = "shards",
                 .slot = [](C& c) -> Slot { return &c.shards; },
                 .help = "Threads that share the 64 shards of users; 0 is one a CPU. The answers "
                         "do not depend on it.",
                 .low = 0,
                 .high = 64,
                 .change = Change::kRestart,
                 .flag = "--shards",
                 .placeholder = "N"});
  all.push_back({.key = "time_scale",
                 .slot = [](C& c) -> Slot { return &c.time_scale; },
                 .help = "How many times as fast as life the engine's time runs: for "
                         "demonstrations and tests.",
                 .low = 0.001,
                 .high = 100'000,
                 .change = Change::kRestart,
                 .flag = "--time-scale",
                 .placeholder = "N"});
}

void add_api(Settings& all) {
  all.push_back({.key = "api.address",
                 .slot = [](C& c) -> Slot { return &c.api.address; },
                 .help = "Where the HTTP API listens: HOST:PORT. Port 0 picks a free one. Anywhere "
                         "but on the loopback address it needs a token.",
                 .change = Change::kRestart,
                 .flag = "--api",
                 .placeholder = "HOST:PORT"});
  all.push_back({.key = "api.token",
                 .slot = [](C& c) -> Slot { return &c.api.token; },
                 .help = "The bearer token that calls which change something must carry, and "
                         "every call from elsewhere than this machine.",
                 .secret = true});
  all.push_back({.key = "api.token_file",
                 .slot = [](C& c) -> Slot { return &c.api.token_file; },
                 .help = "A file whose first line is the token, instead of `api.token`."});
}

void add_identity(Settings& all) {
  all.push_back({.key = "identity.order",
                 .slot = [](C& c) -> Slot { return &c.identity.order; },
                 .help = "Where the user of a connection is looked for, first to last: jwt, "
                         "header (of a trusted proxy), cookie, address."});
  all.push_back({.key = "identity.jwt_algorithm",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_algorithm; },
                 .help = "HS256, RS256 or ES256. No other is accepted, whatever a token says."});
  all.push_back({.key = "identity.jwt_secret",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_secret; },
                 .help = "The shared secret of HS256.",
                 .secret = true});
  all.push_back({.key = "identity.jwt_key_file",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_key_file; },
                 .help = "The public key of RS256 or ES256, PEM."});
  all.push_back({.key = "identity.jwt_claim",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_claim; },
                 .help = "The claim that names the user."});
  all.push_back({.key = "identity.header",
                 .slot = [](C& c) -> Slot { return &c.identity.header; },
                 .help = "The header in which a trusted proxy names the user."});
  all.push_back({.key = "identity.cookie",
                 .slot = [](C& c) -> Slot { return &c.identity.cookie; },
                 .help = "The cookie that names the user; empty: none does."});
  all.push_back({.key = "identity.trusted_proxies",
                 .slot = [](C& c) -> Slot { return &c.identity.trusted_proxies; },
                 .help = "Addresses or networks (10.0.0.0/8) whose headers about the client are "
                         "believed. Nobody's are by default."});
}

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
                 .help = "What to do about it, and what enforce does."});
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

void add_detect(Settings& all) {
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
  add_statistics(all);
}

void add_alerts(Settings& all) {
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

void add_outside(Settings& all) {
  all.push_back({.key = "tls.certificate",
                 .slot = [](C& c) -> Slot { return &c.tls.certificate; },
                 .help = "The certificate chain, PEM: clients then connect by wss://. Empty: "
                         "no TLS."});
  all.push_back({.key = "tls.key",
                 .slot = [](C& c) -> Slot { return &c.tls.key; },
                 .help = "The certificate's private key, PEM."});
  all.push_back({.key = "webhook.url",
                 .slot = [](C& c) -> Slot { return &c.webhook.url; },
                 .help = "Where alerts are posted to; empty: nowhere."});
  all.push_back({.key = "webhook.secret",
                 .slot = [](C& c) -> Slot { return &c.webhook.secret; },
                 .help = "Signs what is posted.",
                 .secret = true});
  all.push_back({.key = "webhook.min_severity",
                 .slot = [](C& c) -> Slot { return choice(c.webhook.min_severity, kSeverities); },
                 .help = "The mildest alert that is posted."});
  all.push_back({.key = "log.level",
                 .slot = [](C& c) -> Slot { return choice(c.log.level, kLogLevels); },
                 .help = "The mildest line that is written."});
  all.push_back({.key = "log.format",
                 .slot = [](C& c) -> Slot { return choice(c.log.format, kLogFormats); },
                 .help = "text is key=value, json is an object a line."});
}

Settings make() {
  Settings all;
  add_general(all);
  add_api(all);
  add_identity(all);
  add_detect(all);
  add_alerts(all);
  add_outside(all);
  return all;
}

}  // namespace

const std::vector<Setting>& settings() {
  static const Settings kAll = make();
  return kAll;
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
                    .help = "The time to the next word about the same user.",
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

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

}  // namespace liminal::app
