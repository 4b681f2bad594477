#include "core/detect/options.hpp"

#include <string>

namespace liminal::detect {
namespace {

using namespace std::chrono_literals;
using traffic::Action;
using traffic::FeatureId;
using traffic::FindingType;
using traffic::Severity;

constexpr std::array<std::string_view, 3> kProfileNames{"chat", "game", "telemetry"};
constexpr std::array<std::string_view, 2> kComparisonNames{"above", "below"};

RuleOptions rule(FindingType type, FeatureId feature, float threshold) {
  return {.type = type,
          .feature = feature,
          .threshold = threshold,
          .severity = traffic::info(type).severity,
          .action = traffic::info(type).action};
}

bool within(float value, float low, float high) { return value >= low && value <= high; }

void validate(const RuleOptions& rule, const std::string& key, Problems& found) {
  const traffic::FeatureInfo& feature = traffic::info(rule.feature);
  if (!within(rule.threshold, feature.low, feature.high))
    found.push_back({key + ".threshold", "is not a value that the feature can have"});
  if (!within(rule.ordinary_factor, 0, 1000))
    found.push_back({key + ".ordinary_factor", "must be 0 to 1000"});
  if (!within(rule.messages_min, 0, 1e6F))
    found.push_back({key + ".messages_min", "must be 0 to 1000000"});
  if (rule.cool_down < Duration::zero() || rule.cool_down > 24h)
    found.push_back({key + ".cool_down", "must be 0 to 24 h"});
}

}  // namespace

std::string_view name(Profile profile) { return kProfileNames[static_cast<std::size_t>(profile)]; }

std::optional<Profile> profile_by_name(std::string_view name) {
  for (std::size_t i = 0; i < kProfileNames.size(); ++i) {
    if (kProfileNames[i] == name) return Profile{static_cast<std::uint8_t>(i)};
  }
  return std::nullopt;
}

std::string_view name(Comparison comparison) {
  return kComparisonNames[static_cast<std::size_t>(comparison)];
}

std::optional<Comparison> comparison_by_name(std::string_view name) {
  if (name == kComparisonNames[0]) return Comparison::kAbove;
  if (name == kComparisonNames[1]) return Comparison::kBelow;
  return std::nullopt;
}

std::vector<RuleOptions> default_rules() {
  std::vector<RuleOptions> rules{
      rule(FindingType::kMessageFlood, FeatureId::kMessagesPerMinute, 100),
      rule(FindingType::kErrorSpike, FeatureId::kErrorRate, .5F),
      rule(FindingType::kRateLimitAbuse, FeatureId::kRateLimitViolations, 10),
      rule(FindingType::kSuspiciousChannels, FeatureId::kChannelsCount, 20),
      rule(FindingType::kReconnectStorm, FeatureId::kReconnectsPerMinute, 5),
      rule(FindingType::kContentSpam, FeatureId::kSameContentRatio, .8F),
      rule(FindingType::kOversizedMessages, FeatureId::kAvgMessageSize, 16'384)};
  rules[0].ordinary_factor = 4;
  rules[1].messages_min = 10;
  rules[2].ordinary_factor = 4;
  rules[5].messages_min = 10;
  rules[5].ordinary_factor = 4;
  rules[6].messages_min = 3;
  return rules;
}

Problems validate(const Options& options) {
  Problems found;
  if (options.rules.size() > kRulesMax)
    found.push_back({"rules", "must be at most " + std::to_string(kRulesMax)});
  for (std::size_t i = 0; i < options.rules.size(); ++i)
    validate(options.rules[i], "rules[" + std::to_string(i) + "]", found);
  for (std::size_t i = 0; i < options.statistics.size(); ++i) {
    if (!within(options.statistics[i].line_factor, .25F, 4)) {
      const auto detector = static_cast<traffic::Detector>(i);
      found.push_back({"statistics." + std::string(traffic::name(detector)) + ".line_factor",
                       "must be 0.25 to 4"});
    }
  }
  if (!within(options.ring.users_max, 2, 1e6F))
    found.push_back({"ring.users_max", "must be 2 to 1000000"});
  if (options.ring.cool_down < Duration::zero() || options.ring.cool_down > 24h)
    found.push_back({"ring.cool_down", "must be 0 to 24 h"});
  if (options.ring.action == Action::kDrop || options.ring.action == Action::kClose)
    found.push_back({"ring.action", "must not be drop or close: it speaks of no message"});
  if (options.ring.addresses_max < 64 || options.ring.addresses_max > 16'777'216)
    found.push_back({"ring.addresses_max", "must be 64 to 16777216"});
  if (options.model.every < 1 || options.model.every > 255)
    found.push_back({"model.every", "must be 1 to 255"});
  if (options.model.messages_min < 1 || options.model.messages_min > 255)
    found.push_back({"model.messages_min", "must be 1 to 255"});
  if (!within(options.model.near_ratio, .1F, 1))
    found.push_back({"model.near_ratio", "must be 0.1 to 1"});
  if (options.model.cool_down < Duration::zero() || options.model.cool_down > 24h)
    found.push_back({"model.cool_down", "must be 0 to 24 h"});
  if (options.model.action == Action::kDrop || options.model.action == Action::kClose)
    found.push_back({"model.action", "must not be drop or close: a model answers too late for it"});
  if (options.warm_up < Duration::zero() || options.warm_up > 24h)
    found.push_back({"warm_up", "must be 0 to 24 h"});
  return found;
}

}  // namespace liminal::detect
