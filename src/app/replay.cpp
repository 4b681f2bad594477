// liminal replay FILE…: the engine alone.
#include "server/replay/replay.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "app/command.hpp"
#include "app/configuration_options.hpp"
#include "app/options.hpp"
#include "app/trace.hpp"

namespace liminal::app {
namespace {

struct ReplayArguments {
  ConfigurationOptions configuration;
  std::vector<std::string> files;
  std::string out;
  std::uint64_t seed = 0;
};

/// The files, opened; none when one of them cannot be.
std::vector<replay::Trace> open_all(const std::vector<std::string>& files) {
  std::vector<replay::Trace> inputs;
  for (const std::string& file : files) {
    auto text = open_trace(file);
    if (!text) {
      fmt::print(stderr, "liminal: {}: {}\n", file, text.error());
      return {};
    }
    inputs.push_back({file == "-" ? "standard input" : file, std::move(*text)});
  }
  return inputs;
}

ExitCode run(const ReplayArguments& arguments) {
  const auto loaded = load_or_complain(arguments.configuration);
  if (!loaded) return ExitCode::kUsage;
  std::vector<replay::Trace> inputs = open_all(arguments.files);
  if (inputs.empty()) return ExitCode::kFailed;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, std::fclose);
  if (!arguments.out.empty()) {
    file.reset(std::fopen(arguments.out.c_str(), "w"));
    if (!file) {
      fmt::print(stderr, "liminal: {}: cannot be written\n", arguments.out);
      return ExitCode::kFailed;
    }
  }
  std::FILE* out = file ? file.get() : stdout;
  const replay::Summary summary =
      replay::Replay(engine_options(loaded->configuration), out, stderr).run(std::move(inputs));
  if (std::fflush(out) != 0 || std::ferror(out) != 0) {
    fmt::print(stderr, "liminal: the alerts could not be written\n");
    return ExitCode::kFailed;
  }
  if (file) {
    fmt::print("{} events of {} users: {} alerts, state {:016x}\n",
               summary.events,
               summary.users,
               summary.alerts,
               summary.state_hash);
  }
  if (summary.rejected == 0) return ExitCode::kDone;
  fmt::print(stderr,
             "liminal: {} and left out\n",
             summary.rejected == 1 ? std::string("1 line was no event")
                                   : fmt::format("{} lines were no events", summary.rejected));
  return ExitCode::kFailed;
}

}  // namespace

void add_replay(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("replay", "Run traces through the engine alone, without a network");
  auto arguments = std::make_shared<ReplayArguments>();
  arguments->configuration.add_to(*command);
  command->add_option("FILE", arguments->files, "Traces as NDJSON; - is the standard input")
      ->required();
  command->add_option("--out", arguments->out, "Write the alerts to this file");
  command->add_option("--seed",
                      arguments->seed,
                      "Seed of whatever draws random numbers (the built-in detectors draw none)");
  command->footer(
      "\nSeveral files are merged in the order of their times. Writes one alert a line, as it "
      "stood\n"
      "in the end, and last a summary with the hash of the engine's state: the same files and\n"
      "configuration give the same lines on every machine.\n"
      "\n  liminal replay day.ndjson | jq -r '[.t, .user_id, .type, .severity] | @tsv'\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
