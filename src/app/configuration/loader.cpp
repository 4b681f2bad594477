#include "app/configuration/loader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "app/configuration/actors.hpp"
#include "app/configuration/choices.hpp"
#include "app/configuration/headers.hpp"
#include "app/configuration/rules.hpp"
#include "app/configuration/suggestion.hpp"
#include "app/configuration/table.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace liminal::app {
namespace {

/// The lists of tables that there are.
constexpr std::string_view kRules = "detect.rules";
constexpr std::string_view kActors = "scaling.actors";

/// The environment variable that names the file, which is no key itself.
constexpr std::string_view kConfigVariable = "LIMINAL_CONFIG";
constexpr std::string_view kApiVariable = "LIMINAL_API";

/// The variable that is called like the flag: LIMINAL_API for --api, whose key is api.address.
std::string flag_variable(const Setting& setting) {
  if (setting.flag.empty()) return {};
  Setting named;
  named.key = setting.flag.substr(2);
  std::replace(named.key.begin(), named.key.end(), '-', '_');
  return environment_name(named);
}

std::string unknown_key(std::string_view key) {
  std::vector<std::string_view> keys{kRules, kActors};
  for (const Setting& setting : settings()) {
    const std::string_view name = setting.key;
    for (std::size_t point = name.find('.'); point != name.npos; point = name.find('.', point + 1))
      keys.push_back(name.substr(0, point));
    keys.push_back(name);
  }
  const auto meant = key_suggestion(key, keys);
  return meant ? fmt::format("is not known; did you mean {}?", *meant) : "is not known";
}

std::string unknown_variable(const std::string& name) {
  std::vector<std::string> names;
  for (const Setting& setting : settings()) {
    names.push_back(environment_name(setting));
    if (!setting.flag.empty()) names.push_back(flag_variable(setting));
  }
  const std::vector<std::string_view> words(names.begin(), names.end());
  const auto meant = suggestion(name, words);
  return meant ? fmt::format("is the variable of no key; did you mean {}?", *meant)
               : "is the variable of no key";
}

/// LIMINAL_API is where commands find the server as well, and for them may be a URL.
std::string without_scheme(std::string text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) return text;
  text.erase(0, kScheme.size());
  while (text.ends_with('/')) text.pop_back();
  return text;
}

/// Reads one source after another into a configuration, and keeps what is wrong.
class Loading {
 public:
  explicit Loading(Loaded& out) : out_(out) {}

  void file(const std::string& name, const std::string& text) {
    file_ = name;
    if (const auto line = nameless_header(text)) {
      out_.problems.push_back({{"", "a table's name must follow its bracket"},
                               fmt::format("{}:{}", name, *line),
                               static_cast<std::uint32_t>(*line)});
      return;
    }
    const toml::parse_result parsed = toml::parse(text, name);
    if (!parsed) {
      const toml::parse_error& error = parsed.error();
      complain("", std::string(error.description()), error.source());
      return;
    }
    table(parsed.table(), "");
  }

  void environment(const std::string& name, const std::string& text) {
    if (name == kConfigVariable) return;
    for (const Setting& setting : settings()) {
      if (environment_name(setting) == name || flag_variable(setting) == name) {
        put(setting, {name == kApiVariable ? without_scheme(text) : text, true}, name);
        return;
      }
    }
    out_.warnings.push_back({{name, unknown_variable(name)}, "environment"});
  }

  void flag(const Given& given) {
    if (const Setting* setting = find_setting(given.key))
      put(*setting, {given.text, true}, given.where);
    else
      complain(given.key, unknown_key(given.key), given.where);
  }

  /// What was given a mode of its own keeps it; everything else follows the general one.
  void spread_mode() {
    places_ = apply_rules(rules_, out_);
    apply_actors(actors_, out_);
    const std::string general(traffic::name(out_.configuration.mode));
    for (const Setting& setting : settings()) {
      if (follows_mode(setting, out_)) (void)assign(setting, out_.configuration, {general, true});
    }
  }

  /// A table is walked by name; people read by line.
  void sort() {
    std::stable_sort(out_.problems.begin(),
                     out_.problems.end(),
                     [](const Complaint& a, const Complaint& b) { return a.line < b.line; });
  }

  void check() {
    for (const Problem& problem : validate(out_.configuration)) {
      auto origin = out_.origins.find(problem.key);
      // A rule's origin is known for the whole of it.
      if (origin == out_.origins.end())
        origin = out_.origins.find(problem.key.substr(0, problem.key.rfind('.')));
      complain(as_written(problem.key),
               problem.text,
               origin == out_.origins.end() ? std::string("default") : origin->second);
    }
  }

 private:
  /// A rule of the file by its place there: the configuration counts the default ones too.
  [[nodiscard]] std::string as_written(const std::string& key) const {
    const std::string begin = std::string(kRules) + "[";
    if (!key.starts_with(begin)) return key;
    std::size_t rule = places_.size();
    const char* const end = key.data() + key.size();
    const auto number = std::from_chars(key.data() + begin.size(), end, rule);
    if (number.ec != std::errc{} || rule >= places_.size() || !places_[rule]) return key;
    return fmt::format("{}{}{}", begin, *places_[rule], std::string_view(number.ptr, end));
  }

  void table(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      if (key == kRules)
        list(node, kRules, rules_);
      else if (key == kActors)
        list(node, kActors, actors_);
      else if (const Setting* setting = find_setting(key))
        value(*setting, node);
      else if (const toml::table* inner = node.as_table(); inner && is_prefix(key))
        this->table(*inner, key + ".");
      else
        complain(key, unknown_key(key), node.source());
    }
  }

  static bool is_prefix(const std::string& key) {
    return std::any_of(settings().begin(), settings().end(), [&](const Setting& setting) {
      return setting.key.starts_with(key + ".");
    });
  }

  void value(const Setting& setting, const toml::node& node) {
    if (auto written = read(node))
      put(setting, *written, place(node.source()), node.source().begin.line);
    else
      complain(setting.key, fmt::format("must be {}", type_text(setting)), node.source());
  }

  /// Nothing for tables, times and mixed lists: no key takes them.
  static std::optional<Written> read(const toml::node& node) {
    if (const auto* flag = node.as_boolean()) return Written{flag->get(), false};
    if (const auto* whole = node.as_integer()) return Written{whole->get(), false};
    if (const auto* real = node.as_floating_point()) return Written{real->get(), false};
    if (const auto* text = node.as_string()) return Written{text->get(), false};
    const auto* array = node.as_array();
    if (array == nullptr || !(array->empty() || array->is_homogeneous<std::string>()))
      return std::nullopt;
    std::vector<std::string> texts;
    for (const toml::node& one : *array) texts.push_back(one.as_string()->get());
    return Written{std::move(texts), false};
  }

  void list(const toml::node& node, std::string_view key, std::vector<WrittenTable>& into) {
    const toml::array* array = node.as_array();
    if (array == nullptr || !(array->empty() || array->is_homogeneous<toml::table>()))
      return complain(std::string(key), fmt::format("must be tables, [[{}]]", key), node.source());
    for (const toml::node& one : *array) {
      WrittenTable& written = into.emplace_back();
      written.where = place(one.source());
      written.line = one.source().begin.line;
      for (const auto& [name, field] : *one.as_table()) {
        if (auto value = read(field))
          written.fields[std::string(name.str())] = {
              std::move(*value), place(field.source()), field.source().begin.line};
        else
          complain(fmt::format("{}[{}].{}", key, into.size() - 1, name.str()),
                   "must be one value",
                   field.source());
      }
    }
  }

  void put(const Setting& setting,
           const Written& written,
           const std::string& where,
           std::uint32_t line = 0) {
    if (auto trouble = assign(setting, out_.configuration, written))
      out_.problems.push_back({{setting.key, std::move(*trouble)}, where, line});
    else
      out_.origins[setting.key] = where;
  }

  [[nodiscard]] std::string place(const toml::source_region& region) const {
    return fmt::format("{}:{}", file_, region.begin.line);
  }

  void complain(std::string key, std::string what, std::string where) {
    out_.problems.push_back({{std::move(key), std::move(what)}, std::move(where)});
  }

  void complain(std::string key, std::string what, const toml::source_region& region) {
    out_.problems.push_back({{std::move(key), std::move(what)}, place(region), region.begin.line});
  }

  Loaded& out_;
  std::string file_;
  std::vector<WrittenTable> rules_, actors_;
  std::vector<std::optional<std::size_t>> places_;  ///< in the file, of each rule
};

}  // namespace

std::string text(const Complaint& complaint) {
  if (complaint.problem.key.empty())
    return fmt::format("{}: {}", complaint.where, complaint.problem.text);
  return fmt::format("{}: {}: {}", complaint.where, complaint.problem.key, complaint.problem.text);
}

Loaded load(const Sources& sources) {
  Loaded loaded;
  Loading loading(loaded);
  if (!sources.file_name.empty()) loading.file(sources.file_name, sources.file_text);
  for (const auto& [name, value] : sources.environment) loading.environment(name, value);
  for (const Given& given : sources.flags) loading.flag(given);
  loading.spread_mode();
  loading.sort();
  loading.check();
  return loaded;
}

bool follows_mode(const Setting& setting, const Loaded& loaded) {
  // What has the word inherits by itself: limits, from limits.mode.
  return setting.key.ends_with(".mode") && loaded.origins.count(setting.key) == 0 &&
         value_text(setting, loaded.configuration) != toml_text(kInherit);
}

std::vector<std::pair<std::string, std::string>> liminal_environment() {
  std::vector<std::pair<std::string, std::string>> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (text.starts_with("LIMINAL_") && equals != std::string_view::npos)
      found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  // The environment has no order of its own; the messages should.
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace liminal::app
