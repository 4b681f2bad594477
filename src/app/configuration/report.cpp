#include "app/configuration/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

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

bool is_set(const Setting& secret, const Configuration& configuration) {
  return value_text(secret, configuration) != "\"\"";
}

/// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

}  // namespace

std::string print(const Loaded& loaded) {
  std::string out = fmt::format(
      "# The configuration of Liminal {} that is in force; after each value, where it comes "
      "from.\n",
      version());
  std::string_view table;
  for (const Setting& setting : settings()) {
    if (table_of(setting.key) != table) {
      table = table_of(setting.key);
      out += fmt::format("\n[{}]\n", table);
    }
    const auto origin = loaded.origins.find(setting.key);
    const std::string_view where =
        origin == loaded.origins.end() ? std::string_view("default") : origin->second;
    out += "\n" + comment(setting.help);
    if (setting.secret) {
      const bool set = is_set(setting, loaded.configuration);
      out += fmt::format("# {} is {}  # {}\n",
                         name_of(setting.key),
                         set ? "set, and not shown" : "not set",
                         where);
    } else {
      out += fmt::format("{} = {}  # {}\n",
                         name_of(setting.key),
                         value_text(setting, loaded.configuration),
                         where);
    }
  }
  return out;
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
      "again; keys marked *restart* then keep their value until the next start.\n";
  const Configuration defaults;
  std::string_view table = "?";
  for (const Setting& setting : settings()) {
    if (table_of(setting.key) != table) {
      table = table_of(setting.key);
      out += table.empty() ? "\n## General\n" : fmt::format("\n## `[{}]`\n", table);
      out += "\n| key | default | what | |\n|---|---|---|---|\n";
    }
    const std::string bounds = bounds_text(setting);
    std::string notes = type_text(setting) + (bounds.empty() ? "" : ", " + bounds);
    if (!setting.flag.empty()) notes += fmt::format("; `{}`", setting.flag);
    if (setting.change == Change::kRestart) notes += "; *restart*";
    out += fmt::format("| `{}` | `{}` | {} | {} |\n",
                       setting.key,
                       cell(value_text(setting, defaults)),
                       cell(setting.help),
                       cell(notes));
  }
  return out;
}

}  // namespace liminal::app
