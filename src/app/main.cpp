#include <fmt/core.h>

#include <exception>
#include <span>

#include "app/command.hpp"
#include "app/usage.hpp"
#include "app/version.hpp"

namespace {

using liminal::app::ExitCode;

/// Parses, then runs. Exceptions end here: whatever is thrown at start-up is a failure with a text.
ExitCode run(int argc, char** argv) {
  CLI::App program{
      "Liminal stands in front of a WebSocket service: it learns what each user normally does,\n"
      "finds abuse within about ten messages, and limits it.",
      "liminal"};
  program.set_version_flag("--version", std::string(liminal::app::version()));
  program.require_subcommand(1);
  program.footer(
      "liminal COMMAND --help tells more about a command.\n\n"
      "Exit codes: 0 done; 1 failed, and why is on the error output; 2 the command line or the\n"
      "configuration is wrong, and nothing was done.\n");

  liminal::app::Run chosen;
  liminal::app::add_serve(program, chosen);
  liminal::app::add_play(program, chosen);
  liminal::app::add_top(program, chosen);
  liminal::app::add_explain(program, chosen);
  liminal::app::add_anomaly(program, chosen);
  liminal::app::add_check_config(program, chosen);
  liminal::app::add_print_config(program, chosen);
  liminal::app::add_replay(program, chosen);
  liminal::app::add_forecast(program, chosen);
  liminal::app::add_salience(program, chosen);
  liminal::app::add_train(program, chosen);
  liminal::app::add_predict(program, chosen);
  liminal::app::add_models(program, chosen);
  liminal::app::add_experiments(program, chosen);
  liminal::app::add_completion(program, chosen);
  liminal::app::add_version(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      const std::span<const char* const> words(argv, argv + argc);
      if (const auto wrong = liminal::app::misspelt(program, words.subspan(argc > 0 ? 1 : 0))) {
        fmt::print(stderr, "{}\nRun with --help for more information.\n", *wrong);
        return ExitCode::kUsage;
      }
    }
    return program.exit(error) == 0 ? ExitCode::kDone : ExitCode::kUsage;
  }
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "liminal: {}\n", error.what());
    return static_cast<int>(ExitCode::kFailed);
  }
}
