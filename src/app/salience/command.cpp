// liminal salience FILE: what deserves a human first, from what events say of themselves.
#include "app/command.hpp"

#include <fmt/core.h>

#include <fstream>

#include "app/salience/events.hpp"
#include "app/salience/ranking.hpp"

namespace liminal::app {
namespace {

struct SalienceArguments {
  std::string file;
  std::string plot;
};

ExitCode fail(const std::string& why) {
  fmt::print(stderr, "liminal: {}\n", why);
  return ExitCode::kFailed;
}

ExitCode run(const SalienceArguments& arguments) {
  auto file = open_table_file(arguments.file);
  if (!file) return ExitCode::kFailed;
  const SalienceEvents events = read_salience_events(*file, stderr);
  if (events.too_many)
    return fail(fmt::format("more than {} events cannot be ranked together", kSalienceEventsMax));
  const SalienceRanking ranking(events.events);
  if (events.events.empty() && events.wrong == 0) return fail(file->name + ": there is no event");
  ranking.write(stdout, events.left_out);
  for (const std::string& what : events.ignored)
    fmt::print(stderr, "liminal: not known and ignored: {}\n", what);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return fail("the answer could not be written");
  if (!arguments.plot.empty()) {
    std::ofstream plot(arguments.plot, std::ios::binary);
    plot << ranking.svg(file->name);
    plot.close();
    if (!plot) return fail(arguments.plot + ": cannot be written");
  }
  if (events.wrong == 0) return ExitCode::kDone;
  return fail(
      fmt::format("{} lines or fields were wrong; those events were left out", events.wrong));
}

}  // namespace

void add_salience(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("salience", "Rank events by how much they deserve a human");
  auto arguments = std::make_shared<SalienceArguments>();
  command->add_option("FILE", arguments->file, "Events as NDJSON or CSV; - is the standard input")
      ->required();
  command->add_option("--plot", arguments->plot, "Draw the scores by rank into an SVG");
  command->footer(
      "\nOne line an event, in the order of the file: its score from 0 to 1, its rank and the "
      "terms\n"
      "that make the score; of one that is wrong null, null, no terms and the error. Fields as in "
      "POST /salience, without the history that a server has; "
      "of CSV\n"
      "the header names them.\n"
      "\n  liminal salience events.ndjson | jq -r '[.rank, .score] | @tsv' | sort -n\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
