// liminal salience FILE.ndjson: what deserves a human first, from what events say of themselves.
#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <numeric>

#include "app/command.hpp"
#include "core/salience/judgement.hpp"
#include "io/json/salience_event.hpp"

namespace liminal::app {
namespace {

/// Ranks need all events at once.
constexpr std::size_t kEventsMax = 1'000'000;
constexpr std::uint64_t kComplaintsMax = 10;

struct Events {
  std::vector<json::SalienceEvent> events;
  std::vector<std::string> ignored;
  std::uint64_t wrong = 0;
  bool too_many = false;
};

void complain(Events& events, const std::string& name, std::uint64_t line, const Problem& problem) {
  if (++events.wrong > kComplaintsMax) return;
  fmt::print(stderr,
             "{}:{}: {}{}{}\n",
             name,
             line,
             problem.key,
             problem.key.empty() ? "" : " ",
             problem.text);
}

Events read(std::istream& in, const std::string& name) {
  Events out;
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line == "\r") continue;
    if (out.events.size() == kEventsMax) {
      out.too_many = true;
      break;
    }
    const Result<json::Value> value = json::parse(line);
    if (!value) {
      complain(out, name, number, {"", "this is no JSON"});
      continue;
    }
    Problems problems;
    json::SalienceEvent event = json::read_salience_event(*value, "", out.ignored, problems);
    for (const Problem& problem : problems) complain(out, name, number, problem);
    if (problems.empty()) out.events.push_back(std::move(event));
  }
  return out;
}

void write(const Events& events) {
  std::vector<salience::Judgement> judged;
  for (const json::SalienceEvent& event : events.events)
    judged.push_back(salience::judge(event.fields));
  std::vector<std::size_t> order(judged.size()), ranks(judged.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return judged[a].log_odds() > judged[b].log_odds();
  });
  for (std::size_t i = 0; i < order.size(); ++i) ranks[order[i]] = i + 1;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    json::Writer out;
    out.begin_object();
    out.field("score", judged[i].salience());
    out.field("rank", ranks[i]);
    out.key("explanation");
    json::write_explanation(events.events[i], judged[i], out);
    out.end_object();
    fmt::print("{}\n", out.text());
  }
}

ExitCode run(const std::string& file) {
  Events events;
  if (file == "-") {
    events = read(std::cin, "standard input");
  } else {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      fmt::print(stderr, "liminal: {}: cannot be opened\n", file);
      return ExitCode::kFailed;
    }
    events = read(in, file);
  }
  if (events.too_many) {
    fmt::print(stderr, "liminal: more than {} events cannot be ranked together\n", kEventsMax);
    return ExitCode::kFailed;
  }
  write(events);
  for (const std::string& name : events.ignored)
    fmt::print(stderr, "liminal: the field \"{}\" is not known and was ignored\n", name);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "liminal: the answer could not be written\n");
    return ExitCode::kFailed;
  }
  if (events.wrong == 0) return ExitCode::kDone;
  fmt::print(
      stderr, "liminal: {} lines or fields were wrong; those events were left out\n", events.wrong);
  return ExitCode::kFailed;
}

}  // namespace

void add_salience(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("salience", "Rank events by how much they deserve a human");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "Events as NDJSON; - is the standard input")->required();
  command->footer(
      "\nOne line an event, in the order of the file: its score from 0 to 1, its rank and the "
      "terms\n"
      "that make the score. Fields as in POST /salience, without the history that a server has.\n"
      "\n  liminal salience events.ndjson | jq -r '[.rank, .score] | @tsv' | sort -n\n");
  command->callback([&chosen, file] { chosen = [file] { return run(*file); }; });
}

}  // namespace liminal::app
