#include "app/usage.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "app/configuration/suggestion.hpp"

namespace liminal::app {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string meant(std::string_view written, const std::vector<std::string>& names) {
  const std::vector<std::string_view> words(names.begin(), names.end());
  const auto found = suggestion(written, words);
  return found ? fmt::format("; did you mean {}?", *found) : std::string();
}

}  // namespace

std::optional<std::string> misspelt(const CLI::App& program,
                                    std::span<const char* const> arguments) {
  const CLI::App* command = &program;
  std::string path = program.get_name();
  bool may_be_value = false;
  for (const std::string_view word : arguments) {
    if (word == "--") return std::nullopt;
    if (word.starts_with('-')) {
      const std::string_view name = word.substr(0, word.find('='));
      const std::vector<std::string> names = options_of(*command);
      if (word.starts_with("--") && std::find(names.begin(), names.end(), name) == names.end())
        return fmt::format("{}: {} is no option{}", path, name, meant(name, names));
      may_be_value = word.size() == name.size();
      continue;
    }
    const std::vector<const CLI::App*> commands = commands_of(*command);
    const auto next = std::find_if(commands.begin(), commands.end(), [word](const CLI::App* one) {
      return one->get_name() == word;
    });
    if (next != commands.end()) {
      command = *next;
      path += " " + command->get_name();
    } else if (!commands.empty() && !may_be_value) {
      std::vector<std::string> names;
      for (const CLI::App* one : commands) names.push_back(one->get_name());
      return fmt::format("{}: \"{}\" is no command{}", path, word, meant(word, names));
    }
    may_be_value = false;
  }
  return std::nullopt;
}

}  // namespace liminal::app
