#include "app/completion.hpp"

#include <fmt/core.h>

#include <map>

#include "app/command.hpp"

namespace liminal::app {
namespace {

/// The long options of a command, "--listen".
std::vector<std::pair<std::string, std::string>> options_of(const CLI::App& command) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames())
      found.emplace_back("--" + name, option->get_description());
  }
  return found;
}

std::vector<const CLI::App*> commands_of(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App*) { return true; });
}

std::string words(const std::vector<std::pair<std::string, std::string>>& options) {
  std::string line;
  for (const auto& [name, help] : options) line += (line.empty() ? "" : " ") + name;
  return line;
}

std::string bash(const CLI::App& program) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(program)) {
    commands += command->get_name() + " ";
    cases +=
        fmt::format("    {}) words='{}' ;;\n", command->get_name(), words(options_of(*command)));
  }
  return fmt::format(
      "# liminal completion bash > /etc/bash_completion.d/liminal\n"
      "_liminal() {{\n"
      "  local words='{}'\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}}\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] || case ${{COMP_WORDS[1]}} in\n{}"
      "    *) words= ;;\n"
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "}}\n"
      "complete -o default -F _liminal liminal\n",
      commands + words(options_of(program)),
      cases);
}

/// Text inside single quotes of zsh and fish, with what a description's brackets and colons mean
/// to zsh taken away.
std::string plain(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\n') break;
    if (c == '\'' || c == '[' || c == ']' || c == ':' || c == '\\') continue;
    safe += c;
  }
  return safe;
}

std::string zsh(const CLI::App& program) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(program)) {
    commands +=
        fmt::format("    '{}:{}'\n", command->get_name(), plain(command->get_description()));
    std::string options;
    for (const auto& [name, help] : options_of(*command))
      options += fmt::format(" '{}[{}]'", name, plain(help));
    cases += fmt::format("    {}) _arguments{} '*:file:_files' ;;\n", command->get_name(), options);
  }
  return fmt::format(
      "#compdef liminal\n"
      "# liminal completion zsh > ~/.zfunc/_liminal\n"
      "local -a commands\n"
      "commands=(\n{}  )\n"
      "if (( CURRENT == 2 )); then\n"
      "  _describe command commands\n"
      "else\n"
      "  case $words[2] in\n{}  esac\n"
      "fi\n",
      commands,
      cases);
}

std::string fish(const CLI::App& program) {
  std::string text = "# liminal completion fish > ~/.config/fish/completions/liminal.fish\n";
  for (const CLI::App* command : commands_of(program)) {
    text += fmt::format("complete -c liminal -n __fish_use_subcommand -f -a {} -d '{}'\n",
                        command->get_name(),
                        plain(command->get_description()));
    for (const auto& [name, help] : options_of(*command)) {
      text += fmt::format("complete -c liminal -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n",
                          command->get_name(),
                          name.substr(2),
                          plain(help));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& program, Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return bash(program);
    case Shell::kZsh:
      return zsh(program);
    case Shell::kFish:
      return fish(program);
  }
  return {};
}

void add_completion(CLI::App& parent, Run& chosen) {
  static const std::map<std::string, Shell> kShells{
      {"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}};
  auto* command = parent.add_subcommand("completion", "Print a script that completes this command");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember(kShells).description(""))
      ->type_name("SHELL");
  command->footer(
      "For this shell alone:\n"
      "  source <(liminal completion bash)\n");
  command->callback([&parent, &chosen, shell] {
    chosen = [&parent, shell] {
      fmt::print("{}", completion_script(parent, kShells.at(*shell)));
      return ExitCode::kDone;
    };
  });
}

}  // namespace liminal::app
