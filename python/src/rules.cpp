#include "rules.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "io/json/fields.hpp"
#include "io/json/writer.hpp"

namespace liminal::python {
namespace {

using detect::RuleOptions;

constexpr std::string_view kAt = "detection_rules";
constexpr double kNumberMax = 1e12;
constexpr double kCoolDownMax_s = 86'400;

/// The rule that is there by default.
std::optional<RuleOptions> usual_rule(traffic::FindingType type,
                                      std::optional<traffic::FeatureId> feature) {
  for (const RuleOptions& rule : detect::default_rules()) {
    if (rule.type == type && (!feature || rule.feature == *feature)) return rule;
  }
  return std::nullopt;
}

std::optional<RuleOptions> read_rule(const std::string& rule_name,
                                     const json::Value& value,
                                     Problems& problems) {
  using json::Need;
  const std::string path = std::string(kAt) + "." + rule_name;
  const std::size_t slash = rule_name.find('/');
  const auto type = traffic::finding_by_name(std::string_view(rule_name).substr(0, slash));
  if (!type) {
    problems.push_back({path, "is no kind of finding (docs/detections.md)"});
    return std::nullopt;
  }
  const std::size_t before = problems.size();
  json::Fields in(value, path, problems);
  const auto feature =
      in.one_of("feature", Need::kOptional, traffic::feature_by_name, "the name of a feature");
  auto rule = usual_rule(*type, feature);
  const Need need = rule ? Need::kOptional : Need::kRequired;
  const auto threshold = in.number("threshold", need, -kNumberMax, kNumberMax);
  if (!rule) {
    if (!feature && problems.size() == before) in.wrong("feature", "is missing");
    const traffic::FindingInfo& info = traffic::info(*type);
    rule = RuleOptions{.type = *type,
                       .feature = feature.value_or(traffic::FeatureId{}),
                       .severity = info.severity,
                       .action = info.action};
  }
  const auto number = [&](std::string_view name, float& out) {
    if (const auto given = in.number(name, Need::kOptional, 0, kNumberMax))
      out = static_cast<float>(*given);
  };
  const auto word = [&](std::string_view name, auto by_name, std::string_view words, auto& out) {
    if (const auto given = in.one_of(name, Need::kOptional, by_name, words)) out = *given;
  };
  if (threshold) rule->threshold = static_cast<float>(*threshold);
  number("ordinary_factor", rule->ordinary_factor);
  number("messages_min", rule->messages_min);
  if (const auto seconds = in.number("cool_down_s", Need::kOptional, 0, kCoolDownMax_s))
    rule->cool_down = from_seconds(*seconds);
  word("comparison", detect::comparison_by_name, "above or below", rule->comparison);
  word("severity", traffic::severity_by_name, "low, medium, high or critical", rule->severity);
  word("action", traffic::action_by_name, "watch, limit, drop, close or investigate", rule->action);
  word("mode", traffic::mode_by_name, "observe, shadow or enforce", rule->mode);
  in.finish();
  if (problems.size() > before) return std::nullopt;
  return rule;
}

}  // namespace

std::string rules_json(const std::vector<RuleOptions>& rules) {
  std::set<traffic::FindingType> seen;
  json::Writer out;
  out.begin_object();
  for (const RuleOptions& rule : rules) {
    std::string key(traffic::info(rule.type).name);
    if (!seen.insert(rule.type).second) key.append("/").append(traffic::info(rule.feature).name);
    out.key(key);
    out.begin_object();
    out.field("feature", traffic::info(rule.feature).name);
    out.field("comparison", detect::name(rule.comparison));
    out.field("threshold", rule.threshold);
    out.field("ordinary_factor", rule.ordinary_factor);
    out.field("messages_min", rule.messages_min);
    out.field("severity", traffic::name(rule.severity));
    out.field("cool_down_s", seconds(rule.cool_down));
    out.field("action", traffic::name(rule.action));
    out.field("mode", traffic::name(rule.mode));
    out.end_object();
  }
  out.end_object();
  return out.take();
}

std::vector<RuleOptions> read_rules(std::string_view json, Problems& problems) {
  std::vector<RuleOptions> rules;
  const Result<json::Value> value = json::parse(json);
  const auto* object = value ? value->as<json::Value::Object>() : nullptr;
  if (object == nullptr) {
    problems.push_back({std::string(kAt), "must be a dictionary of rules by name"});
    return rules;
  }
  for (const auto& [rule_name, fields] : *object) {
    if (const auto rule = read_rule(rule_name, fields, problems)) rules.push_back(*rule);
  }
  if (!problems.empty()) return rules;
  detect::Options options;
  options.rules = rules;
  for (const Problem& problem : detect::validate(options)) {
    // "rules[3].threshold": by its name for whoever wrote it.
    std::string key = problem.key;
    const std::size_t open = key.find('['), close = key.find(']');
    if (open != std::string::npos && close != std::string::npos) {
      const auto place = static_cast<std::size_t>(std::stoul(key.substr(open + 1)));
      key = (*object)[place].first + key.substr(close + 1);
    }
    problems.push_back({std::string(kAt) + "." + key, problem.text});
  }
  return rules;
}

}  // namespace liminal::python
