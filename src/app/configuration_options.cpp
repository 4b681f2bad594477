#include "app/configuration_options.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "app/configuration/table.hpp"
#include "app/serve/credentials.hpp"

namespace liminal::app {
namespace {

/// Nothing when it cannot be read; `errno` then says why.
std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  return text;
}

std::string first_sentence(const std::string& text) { return text.substr(0, text.find(". ")); }

}  // namespace

void ConfigurationOptions::add_to(CLI::App& command) {
  command.add_option("--config", file_, "The configuration file (TOML); docs/configuration.md")
      ->type_name("FILE");
  std::size_t flags = 0;
  for (const Setting& setting : settings()) flags += setting.flag.empty() ? 0U : 1U;
  flags_.reserve(flags);  // the options point into it
  for (const Setting& setting : settings()) {
    if (setting.flag.empty()) continue;
    auto& [key, values] = flags_.emplace_back(setting.key, std::vector<std::string>{});
    command.add_option(std::string(setting.flag), values, first_sentence(setting.help))
        ->type_name(std::string(setting.placeholder))
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  command.add_option("--set", sets_, "Any other key: --set alerts.calm=\"5 min\"")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Loaded ConfigurationOptions::load() const {
  Sources sources;
  sources.environment = liminal_environment();
  sources.file_name = file_;
  for (const auto& [name, value] : sources.environment) {
    if (name == "LIMINAL_CONFIG" && file_.empty()) sources.file_name = value;
  }
  std::optional<Complaint> unreadable;
  if (!sources.file_name.empty()) {
    if (auto text = read_file(sources.file_name)) {
      sources.file_text = std::move(*text);
    } else {
      unreadable = Complaint{{"", std::strerror(errno)}, sources.file_name};
      sources.file_name.clear();
    }
  }
  for (const auto& [key, values] : flags_) {
    const Setting* setting = find_setting(key);
    // A flag that may be repeated is a list; of others the last counts.
    if (!values.empty()) {
      const bool is_list = key == "upstreams";
      sources.flags.push_back({key,
                               is_list ? fmt::format("{}", fmt::join(values, ",")) : values.back(),
                               std::string(setting->flag)});
    }
  }
  for (const std::string& set : sets_) {
    const std::size_t equals = set.find('=');
    sources.flags.push_back({set.substr(0, equals),
                             equals == std::string::npos ? std::string() : set.substr(equals + 1),
                             "--set " + set});
  }
  Loaded loaded = app::load(sources);
  if (unreadable) loaded.problems.insert(loaded.problems.begin(), *unreadable);
  return loaded;
}

std::optional<Loaded> load_or_complain(const ConfigurationOptions& options) {
  Loaded loaded = options.load();
  for (const Complaint& warning : loaded.warnings)
    fmt::print(stderr, "liminal: warning: {}\n", text(warning));
  for (const Complaint& problem : loaded.problems)
    fmt::print(stderr, "liminal: {}\n", text(problem));
  if (!loaded.problems.empty()) return std::nullopt;
  return loaded;
}

std::optional<Loaded> load_for_server_or_complain(const ConfigurationOptions& options) {
  auto loaded = load_or_complain(options);
  if (!loaded) return loaded;
  Problems missing = missing_credentials(loaded->configuration);
  for (Problem& each : missing_scaling_credentials(loaded->configuration))
    missing.push_back(std::move(each));
  for (const Problem& each : missing) fmt::print(stderr, "liminal: {}: {}\n", each.key, each.text);
  if (!missing.empty()) loaded.reset();
  return loaded;
}

}  // namespace liminal::app
