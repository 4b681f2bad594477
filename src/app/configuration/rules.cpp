#include "app/configuration/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/configuration/suggestion.hpp"
#include "app/configuration/table.hpp"

namespace liminal::app {
namespace {

constexpr std::string_view kRemove = "remove";

/// What one rule of the configuration is while a file is read.
struct Draft {
  std::string where;  ///< empty: as by default
  bool has_mode = false;
  bool removed = false;
};

class Rules {
 public:
  explicit Rules(Loaded& loaded) : loaded_(loaded), drafts_(rules().size()) {}

  void apply(const WrittenTable& written) {
    const auto type = word(written, "type", &traffic::finding_by_name);
    if (!type) return;
    std::optional<traffic::FeatureId> feature;
    if (written.fields.count("feature") != 0) {
      feature = word(written, "feature", &traffic::feature_by_name);
      if (!feature) return;
    }
    std::optional<std::size_t> rule = find(*type, feature);
    if (!rule) rule = add(written, *type, feature);
    if (!rule) return;
    drafts_[*rule].where = written.where;
    for (const auto& [name, field] : written.fields) put(*rule, name, field);
  }

  /// Gives rules the general mode, takes away what is to go, and keeps the origins.
  void finish() {
    std::vector<detect::RuleOptions> left;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      if (drafts_[i].removed) continue;
      if (!drafts_[i].has_mode) rules()[i].mode = loaded_.configuration.mode;
      if (!drafts_[i].where.empty())
        loaded_.origins[fmt::format("detect.rules[{}]", left.size())] = drafts_[i].where;
      left.push_back(rules()[i]);
    }
    rules() = std::move(left);
  }

 private:
  std::vector<detect::RuleOptions>& rules() { return loaded_.configuration.detect.rules; }

  /// The value of a field that names something; complains when it does not.
  template <class T>
  std::optional<T> word(const WrittenTable& written,
                        const std::string& name,
                        std::optional<T> (*by_name)(std::string_view)) {
    const auto field = written.fields.find(name);
    if (field == written.fields.end()) {
      complain(name, "is missing", written.where, written.line);
      return std::nullopt;
    }
    const auto* text = std::get_if<std::string>(&field->second.written.value);
    const std::optional<T> value = text ? by_name(*text) : std::nullopt;
    if (!value)
      complain(name, "is not known (docs/detections.md)", field->second.where, field->second.line);
    return value;
  }

  std::optional<std::size_t> find(traffic::FindingType type,
                                  std::optional<traffic::FeatureId> feature) {
    for (std::size_t i = 0; i < rules().size(); ++i) {
      if (rules()[i].type == type && (!feature || rules()[i].feature == *feature)) return i;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> add(const WrittenTable& written,
                                 traffic::FindingType type,
                                 std::optional<traffic::FeatureId> feature) {
    for (const char* needed : {"feature", "threshold"}) {
      if (written.fields.count(needed) == 0)
        complain(needed,
                 "is missing: no rule of this type is there by default",
                 written.where,
                 written.line);
    }
    if (!feature) return std::nullopt;
    const traffic::FindingInfo& info = traffic::info(type);
    rules().push_back(
        {.type = type, .feature = *feature, .severity = info.severity, .action = info.action});
    drafts_.emplace_back();
    return rules().size() - 1;
  }

  void put(std::size_t rule, const std::string& name, const WrittenTable::Field& field) {
    if (name == kRemove) {
      const bool* remove = std::get_if<bool>(&field.written.value);
      if (remove)
        drafts_[rule].removed = *remove;
      else
        complain(name, "must be true or false", field.where, field.line);
      return;
    }
    std::vector<std::string> names;
    for (const Setting& setting : rule_settings(rule)) {
      names.push_back(setting.key.substr(setting.key.rfind('.') + 1));
      if (names.back() != name) continue;
      if (const auto trouble = assign(setting, loaded_.configuration, field.written))
        complain(name, *trouble, field.where, field.line);
      if (name == "mode") drafts_[rule].has_mode = true;
      return;
    }
    const std::vector<std::string_view> words(names.begin(), names.end());
    const auto meant = suggestion(name, words);
    complain(name,
             meant ? fmt::format("is not known; did you mean {}?", *meant) : "is not known",
             field.where,
             field.line);
  }

  void complain(std::string_view name, std::string text, std::string where, std::uint32_t line) {
    loaded_.problems.push_back(
        {{fmt::format("detect.rules.{}", name), std::move(text)}, std::move(where), line});
  }

  Loaded& loaded_;
  std::vector<Draft> drafts_;
};

}  // namespace

void apply_rules(const std::vector<WrittenTable>& rules, Loaded& loaded) {
  Rules applied(loaded);
  for (const WrittenTable& rule : rules) applied.apply(rule);
  applied.finish();
}

}  // namespace liminal::app
