#include "app/configuration/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "app/configuration/actors.hpp"
#include "app/configuration/table.hpp"
#include "app/version.hpp"

namespace liminal::app {
namespace {

std::string_view table_of(std::string_view key) {
  const std::size_t point = key.rfind('.');
  return point == std::string_view::npos ? std::string_view{} : key.substr(0, point);
}

std::string_view name_of(std::string_view key) {
  const std::size_t point = key.rfind('.');
  return point == std::string_view::npos ? key : key.substr(point + 1);
}

/// Text in lines of a comment, at most a hundred characters wide.
std::string comment(std::string_view text) {
  constexpr std::size_t kWidth = 97;
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > kWidth) {
      end = text.rfind(' ', kWidth);
      if (end == std::string_view::npos) end = std::min(text.find(' '), text.size());
    }
    out += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

constexpr std::string_view kRulesHelp =
    "Rules: a feature of a user and a line that it must not cross. A [[detect.rules]] with the "
    "type "
    "of a default rule changes what it says of that rule, with `remove = true` takes it away; any "
    "other is a new rule and needs `feature` and `threshold`.";

constexpr std::string_view kActorsHelp =
    "Actors: who is told how many instances of a service are advised. Nobody is, unless a "
    "[[scaling.actors]] says so; each service has one at most.";

constexpr std::string_view kFollows = "  # follows `mode`";

bool is_set(const Setting& secret, const Configuration& configuration) {
  return value_text(secret, configuration) != "\"\"";
}

/// Whether what follows the general mode is printed so that it still does, when the file that was
/// printed is given another one.
enum class Modes : std::uint8_t { kFollow, kFixed };

std::string origin_of(const Loaded& loaded, const std::string& key) {
  const auto origin = loaded.origins.find(key);
  return origin == loaded.origins.end() ? "default" : origin->second;
}

/// Every rule in force, and every default rule that is not.
std::string print_rules(const Loaded& loaded, Modes modes) {
  const std::vector<detect::RuleOptions>& rules = loaded.configuration.detect.rules;
  std::string out = "\n" + comment(kRulesHelp);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out += fmt::format("\n[[detect.rules]]  # {}\n",
                       origin_of(loaded, fmt::format("detect.rules[{}]", i)));
    for (const Setting& field : rule_settings(i)) {
      const bool follows = modes == Modes::kFollow && follows_mode(field, loaded);
      out += fmt::format("{}{} = {}{}\n",
                         follows ? "# " : "",
                         name_of(field.key),
                         value_text(field, loaded.configuration),
                         follows ? kFollows : "");
    }
  }
  for (const detect::RuleOptions& usual : detect::default_rules()) {
    const bool kept = std::any_of(rules.begin(), rules.end(), [&](const detect::RuleOptions& rule) {
      return rule.type == usual.type && rule.feature == usual.feature;
    });
    if (kept) continue;
    out += fmt::format("\n[[detect.rules]]\ntype = \"{}\"\nfeature = \"{}\"\nremove = true\n",
                       traffic::info(usual.type).name,
                       traffic::info(usual.feature).name);
  }
  return out;
}

/// Every actor, without its secrets.
std::string print_actors(const Loaded& loaded) {
  std::string out;
  for (std::size_t i = 0; i < loaded.configuration.scaling.actors.size(); ++i) {
    out += i == 0 ? "\n" + comment(kActorsHelp) : "";
    out += fmt::format("\n[[scaling.actors]]  # {}\n",
                       origin_of(loaded, fmt::format("scaling.actors[{}]", i)));
    for (const Setting& field : actor_settings(i)) {
      if (!field.secret)
        out +=
            fmt::format("{} = {}\n", name_of(field.key), value_text(field, loaded.configuration));
      else if (is_set(field, loaded.configuration))
        out += fmt::format("# {} is set, and not shown\n", name_of(field.key));
    }
  }
  return out;
}

/// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string notes_on(const Setting& setting) {
  const std::string bounds = bounds_text(setting);
  std::string notes = type_text(setting) + (bounds.empty() ? "" : ", " + bounds);
  if (!setting.flag.empty()) notes += fmt::format("; `{}`", setting.flag);
  if (setting.change == Change::kRestart) notes += "; *restart*";
  return notes;
}

std::string fields_table(const std::vector<Setting>& fields) {
  std::string out = "| field | what | |\n|---|---|---|\n";
  for (const Setting& field : fields)
    out += fmt::format(
        "| `{}` | {} | {} |\n", name_of(field.key), cell(field.help), cell(notes_on(field)));
  return out;
}

std::string reference_of_actors() {
  return fmt::format(
      "\n## `[[scaling.actors]]`\n\n{} But for their mode, they count from the next start.\n\n{}",
      kActorsHelp,
      fields_table(actor_settings(0)));
}

std::string reference_of_rules() {
  const Configuration defaults;
  const std::vector<detect::RuleOptions>& rules = defaults.detect.rules;
  std::string out = fmt::format(
      "\n## `[[detect.rules]]`\n\n{}\n\n{}", kRulesHelp, fields_table(rule_settings(0)));
  out +=
      "\nBy default:\n\n| type | feature | threshold | ordinary_factor | messages_min | severity | "
      "action |\n|---|---|---|---|---|---|---|\n";
  for (const detect::RuleOptions& rule : rules) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n",
                       traffic::info(rule.type).name,
                       traffic::info(rule.feature).name,
                       rule.threshold,
                       rule.ordinary_factor,
                       rule.messages_min,
                       traffic::name(rule.severity),
                       traffic::name(rule.action));
  }
  return out;
}

}  // namespace

std::string print(const Loaded& loaded) {
  std::string out = fmt::format(
      "# The configuration of Liminal {} that is in force; after each value, where it comes "
      "from.\n"
      "# A mode behind a # follows the general one; without the # it would be one of its own.\n",
      version());
  std::string_view table;
  for (const Setting& setting : settings()) {
    if (table_of(setting.key) != table) {
      table = table_of(setting.key);
      out += fmt::format("\n[{}]\n", table);
    }
    const std::string where = origin_of(loaded, setting.key);
    out += "\n" + comment(setting.help);
    if (setting.secret) {
      const bool set = is_set(setting, loaded.configuration);
      out += fmt::format("# {} is {}  # {}\n",
                         name_of(setting.key),
                         set ? "set, and not shown" : "not set",
                         where);
    } else {
      const bool follows = follows_mode(setting, loaded);
      out += fmt::format("{}{} = {}{}\n",
                         follows ? "# " : "",
                         name_of(setting.key),
                         value_text(setting, loaded.configuration),
                         follows ? std::string(kFollows) : "  # " + where);
    }
  }
  return out + print_rules(loaded, Modes::kFollow) + print_actors(loaded);
}

std::string print_values(const Loaded& loaded) {
  std::string out;
  std::string_view table;
  for (const Setting& setting : settings()) {
    if (setting.secret) continue;
    if (table_of(setting.key) != table) {
      table = table_of(setting.key);
      out += fmt::format("[{}]\n", table);
    }
    out +=
        fmt::format("{} = {}\n", name_of(setting.key), value_text(setting, loaded.configuration));
  }
  return out + print_rules(loaded, Modes::kFixed) + print_actors(loaded);
}

std::string reference() {
  std::string out =
      "# Configuration\n"
      "\n"
      "<!-- Written by `liminal print-config --reference`; a test compares. -->\n"
      "\n"
      "Liminal needs none. A file (TOML, `--config FILE` or `LIMINAL_CONFIG`) changes defaults, "
      "the\n"
      "environment beats the file, flags beat the environment. Each key has a variable, "
      "`gateway.idle_timeout`\n"
      "is `LIMINAL_GATEWAY_IDLE_TIMEOUT`, and a flag, `--set gateway.idle_timeout=\"5 min\"`; a "
      "list "
      "is written\n"
      "`a,b` there. Times and sizes carry their unit: `\"250 ms\"`, `\"10 s\"`, `\"5 min\"`, `\"1 "
      "h\"`, "
      "`\"7 d\"`;\n"
      "`\"512 B\"`, `\"64 KiB\"`, `\"1 MiB\"`. Unknown keys, missing units and values outside the "
      "bounds are\n"
      "errors, never mended silently: `liminal check-config` names all of them. `SIGHUP` loads the "
      "file\n"
      "again; keys marked *restart* then keep their value until the next start.\n"
      "\n"
      "Policies that were set by `PUT /ml/limits` hold over those of `limits` here, also after a "
      "reload or\n"
      "a restart; the log then says `limits.kept`, and `DELETE /ml/limits` takes them back. Allow "
      "lists and\n"
      "the controller are always those of here, and so is `mode` while it is another one than when "
      "the\n"
      "policies were set.\n";
  const Configuration defaults;
  std::string_view table = "?";
  for (const Setting& setting : settings()) {
    if (table_of(setting.key) != table) {
      table = table_of(setting.key);
      out += table.empty() ? "\n## General\n" : fmt::format("\n## `[{}]`\n", table);
      out += "\n| key | default | what | |\n|---|---|---|---|\n";
    }
    out += fmt::format("| `{}` | `{}` | {} | {} |\n",
                       setting.key,
                       cell(value_text(setting, defaults)),
                       cell(setting.help),
                       cell(notes_on(setting)));
  }
  return out + reference_of_rules() + reference_of_actors();
}

}  // namespace liminal::app
