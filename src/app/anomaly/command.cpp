#include "app/command.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/anomaly/annotate.hpp"
#include "app/table_file.hpp"

namespace liminal::app {
namespace {

struct AnomalyArguments {
  std::string file;
  std::vector<std::string> ranges;
  std::string plot;
  AnomalyOptions options;
};

bool write_file(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                             std::fclose);
  return file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
         std::fflush(file.get()) == 0;
}

ExitCode complain(ExitCode code, const std::string& what) {
  fmt::print(stderr, "liminal: {}\n", what);
  return code;
}

ExitCode annotate(const AnomalyArguments& arguments) {
  AnomalyOptions options = arguments.options;
  for (const std::string& text : arguments.ranges) {
    const auto range = parse_range(text);
    if (!range) return complain(ExitCode::kUsage, "--range: " + range.error());
    if (!options.ranges.insert(*range).second)
      return complain(ExitCode::kUsage, "--range: " + range->first + " is named twice");
  }
  options.plot = !arguments.plot.empty();
  auto file = open_table_file(arguments.file);
  if (!file) return ExitCode::kFailed;
  std::vector<std::string> passed_over;
  file->passed_over = &passed_over;
  Annotator annotator(std::move(options), stdout);
  if (auto done = annotator.run(*file); !done) return complain(ExitCode::kFailed, done.error());
  tell_passed_over(passed_over, stderr);
  if (annotator.late() > 0) {
    fmt::print(stderr,
               "liminal: {} rows lie before a row before them: they count as if no time had "
               "passed\n",
               annotator.late());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return complain(ExitCode::kFailed, "the lines could not be written");
  if (!arguments.plot.empty()) {
    const std::string title =
        fmt::format("{}: {} alarms in {} rows", file->name, annotator.alarms(), annotator.rows());
    if (!write_file(arguments.plot, annotator.svg(title)))
      return complain(ExitCode::kFailed, arguments.plot + ": cannot be written");
  }
  return ExitCode::kDone;
}

}  // namespace

void add_anomaly(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("anomaly", "Find what is new in the metrics of a table");
  auto arguments = std::make_shared<AnomalyArguments>();
  AnomalyOptions& options = arguments->options;
  command->add_option("FILE", arguments->file, "Rows as CSV or NDJSON; - is the standard input")
      ->required();
  command->add_option(
      "--column", options.columns, "A column to judge (default: all that hold numbers)");
  command->add_option("--time",
                      options.time,
                      "The column of times (default: timestamp, time, datetime, date or t)");
  command->add_option("--range",
                      arguments->ranges,
                      "NAME=MIN:MAX, between which a column's values lie; worth some quality");
  command->add_option("--counter", options.counters, "A column that only grows, until it is reset");
  command
      ->add_option(
          "--alarms-per-week",
          options.alarms_per_week,
          "At most about how often all columns together may alarm, once there is a day to go "
          "by (default: one line that suits all)")
      ->check(CLI::Range(0., 1e4));
  command->add_option("--plot", arguments->plot, "Draw values, expectation and alarms into an SVG");
  command->footer(
      "\nWrites one line of CSV for each row: the time, the score (0 while there is nothing new "
      "to\n"
      "say, 1 is the alarm line), the raw novelty, whether it is an anomaly (1 or 0) and, of "
      "several\n"
      "columns, what each contributes. Rows are judged one after the other, as they would be "
      "live;\n"
      "the first 64 are only learnt.\n"
      "\n  liminal anomaly cpu.csv --range cpu=0:100 --plot cpu.svg | awk -F, '$4 == 1'\n");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return annotate(*arguments); }; });
}

}  // namespace liminal::app
