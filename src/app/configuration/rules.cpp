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
  std::string where;                 ///< empty: as by default
  std::optional<std::size_t> place;  ///< in the file
  std::string mode_where;            ///< empty: it follows the general one
  bool removed = false;
};

class Rules {
 public:
  explicit Rules(Loaded& loaded) : loaded_(loaded), drafts_(rules().size()) {}

  void apply(const WrittenTable& written, std::size_t place) {
    place_ = place;
    if (written.fields.count("type") == 0)
      complain("type", "is missing", written.where, written.line);
    const auto type = word(written, "type", &traffic::finding_by_name);
    const auto feature = word(written, "feature", &traffic::feature_by_name);
    std::optional<std::size_t> rule;
    // With a misspelt feature it would be another rule of the type.
    if (type && (feature || written.fields.count("feature") == 0)) {
      rule = find(*type, feature);
      if (!rule) rule = add(written, *type, feature);
    }
    if (!rule) return check_fields(written);
    drafts_[*rule].where = written.where;
    drafts_[*rule].place = place;
    for (const auto& [name, field] : written.fields) put(*rule, name, field);
  }

  /// Gives rules the general mode, takes away what is to go, and keeps the origins.
  std::vector<std::optional<std::size_t>> finish() {
    std::vector<detect::RuleOptions> left;
    std::vector<std::optional<std::size_t>> places;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      if (drafts_[i].removed) continue;
      const std::string key = fmt::format("detect.rules[{}]", left.size());
      if (!drafts_[i].where.empty()) loaded_.origins[key] = drafts_[i].where;
      if (drafts_[i].mode_where.empty())
        rules()[i].mode = loaded_.configuration.mode;
      else
        loaded_.origins[key + ".mode"] = drafts_[i].mode_where;
      left.push_back(rules()[i]);
      places.push_back(drafts_[i].place);
    }
    rules() = std::move(left);
    return places;
  }

 private:
  std::vector<detect::RuleOptions>& rules() { return loaded_.configuration.detect.rules; }

  /// The value of a field that names something, when it does.
  template <class T>
  static std::optional<T> word(const WrittenTable& written,
                               const std::string& name,
                               std::optional<T> (*by_name)(std::string_view)) {
    const auto field = written.fields.find(name);
    if (field == written.fields.end()) return std::nullopt;
    const auto* text = std::get_if<std::string>(&field->second.written.value);
    return text ? by_name(*text) : std::nullopt;
  }

  /// Names what is wrong with a rule of which it is not known which one it is.
  void check_fields(const WrittenTable& written) {
    rules().emplace_back();
    drafts_.emplace_back();
    for (const auto& [name, field] : written.fields) put(rules().size() - 1, name, field);
    rules().pop_back();
    drafts_.pop_back();
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
      if (name == "mode") drafts_[rule].mode_where = field.where;
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
    loaded_.problems.push_back({{fmt::format("detect.rules[{}].{}", place_, name), std::move(text)},
                                std::move(where),
                                line});
  }

  Loaded& loaded_;
  std::vector<Draft> drafts_;
  std::size_t place_ = 0;  ///< of the rule that is read
};

}  // namespace

std::vector<std::optional<std::size_t>> apply_rules(const std::vector<WrittenTable>& rules,
                                                    Loaded& loaded) {
  Rules applied(loaded);
  for (std::size_t i = 0; i < rules.size(); ++i) applied.apply(rules[i], i);
  return applied.finish();
}

}  // namespace liminal::app
