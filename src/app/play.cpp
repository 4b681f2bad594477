#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "app/ciphers.hpp"
#include "app/command.hpp"
#include "app/configuration/quantity.hpp"
#include "app/player.hpp"
#include "app/synthetic.hpp"
#include "app/trace.hpp"

namespace liminal::app {
namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> interrupted{false};  // NOLINT

const std::map<std::string, PlayFormat>& formats() {
  static const std::map<std::string, PlayFormat> kFormats{{"hub", PlayFormat::kHub},
                                                          {"text", PlayFormat::kText}};
  return kFormats;
}

struct PlayArguments {
  std::vector<std::string> files;
  bool synthetic = false;
  std::string target, out, authorities;
  double speed = 1;
  std::string format = "hub";
  SyntheticOptions day;
  std::string length = "24 h";
};

class SyntheticSource : public EventSource {
 public:
  explicit SyntheticSource(const SyntheticOptions& options) : day_(options) {}
  std::optional<traffic::Event> next() override { return day_.next(); }

 private:
  SyntheticDay day_;
};

/// Traces or the synthetic day; null, with a word on the error output, when a file cannot be read.
std::unique_ptr<EventSource> open_source(const PlayArguments& arguments) {
  if (arguments.synthetic) return std::make_unique<SyntheticSource>(arguments.day);
  auto source = std::make_unique<TraceSource>(
      [](const std::string& what) { fmt::print(stderr, "liminal: {}\n", what); });
  for (const std::string& file : arguments.files) {
    auto text = open_trace(file);
    if (!text) {
      fmt::print(stderr, "liminal: {}: {}\n", file, text.error());
      return nullptr;
    }
    source->add(file == "-" ? "standard input" : file, std::move(*text));
  }
  return source;
}

ExitCode write_trace(EventSource& source, const std::string& path) {
  std::ofstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::ostream& out = path == "-" ? std::cout : file;
  std::string line;
  std::uint64_t events = 0;
  while (const auto event = source.next()) {
    line.clear();
    write_trace_line(*event, line);
    out << line;
    ++events;
  }
  out.flush();
  if (!out) {
    fmt::print(stderr, "liminal: {}: cannot be written\n", path);
    return ExitCode::kFailed;
  }
  if (path != "-") fmt::print("{}: {} events\n", path, events);
  return ExitCode::kDone;
}

/// Every played user is a connection: as many as the system lets this process have.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

std::string clock_text(Duration time) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// What went wrong with connections, in words: "3 refused (401), 2 closed by the server (1008)".
std::string troubles(const player::CrowdCounts& counts) {
  std::string text;
  for (const auto& [status, count] : counts.refused)
    text += fmt::format("  {} refused ({})", count, status);
  for (const auto& [code, count] : counts.closed_codes)
    text += fmt::format("  {} closed by the server ({})", count, code);
  if (counts.unreachable > 0) text += fmt::format("  {} not answered", counts.unreachable);
  if (counts.broken > 0) text += fmt::format("  {} broken off", counts.broken);
  if (counts.unsent > 0) text += fmt::format("  {} not sent", counts.unsent);
  return text;
}

void show(const PlayProgress& progress, const player::CrowdCounts& counts) {
  std::string line = fmt::format("{}  {} connected  {} sent  {} received{}",
                                 clock_text(progress.position),
                                 progress.connections,
                                 counts.sent,
                                 counts.received,
                                 troubles(counts));
  if (progress.behind > std::chrono::seconds{1})
    line += fmt::format("  {} behind", clock_text(progress.behind));
  fmt::print("\r\x1b[K{}", line);
  std::fflush(stdout);
}

/// Lets a wss:// target be believed; false, with a word on the error output, when nobody can be.
bool prepare_cipher(player::Target& target, const std::string& authorities) {
  if (!target.ciphered) return true;
  auto ciphers = Ciphers::client(authorities);
  if (!ciphers) {
    fmt::print(stderr, "liminal play: {}\n", ciphers.error());
    return false;
  }
  target.cipher = [made = *ciphers](const epoll::Socket& socket, const std::string& host) {
    return made->start(socket, host);
  };
  return true;
}

ExitCode play(const PlayArguments& arguments, const PlayOptions& options, EventSource& source) {
  const std::string& url = arguments.target;
  auto target = player::Target::parse(url);
  if (!target) {
    fmt::print(stderr, "liminal play: {}: {}\n", url, name(target.error().code));
    return target.error().code == ErrorCode::kUnavailable ? ExitCode::kFailed : ExitCode::kUsage;
  }
  if (!prepare_cipher(*target, arguments.authorities)) return ExitCode::kFailed;
  raise_file_limit();
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  Player player(*std::move(target), options);
  const player::CrowdCounts& counts = player.run(
      source,
      [terminal](const PlayProgress& progress, const player::CrowdCounts& now) {
        if (terminal) show(progress, now);
      },
      [] { return interrupted.load(); });
  if (terminal) fmt::print("\r\x1b[K");
  fmt::print("{} events in {}: {} connections, {} sent, {} received{}\n",
             player.progress().events,
             clock_text(player.progress().position),
             counts.opened,
             counts.sent,
             counts.received,
             troubles(counts));
  if (counts.opened > 0 || player.progress().events == 0) return ExitCode::kDone;
  const bool answered = counts.broken > 0 || !counts.refused.empty();
  fmt::print(stderr,
             "liminal play: {} {}{}\n",
             answered ? "nobody was let in at" : "nothing answers at",
             url,
             counts.problem.empty() ? "" : ": TLS: " + counts.problem);
  return ExitCode::kFailed;
}

ExitCode run(const PlayArguments& given) {
  PlayArguments arguments = given;
  const auto complain = [](std::string_view what) {
    fmt::print(stderr, "liminal play: {}\n", what);
    return ExitCode::kUsage;
  };
  if (arguments.synthetic != arguments.files.empty())
    return complain("give either traces or --synthetic");
  if (arguments.target.empty() == arguments.out.empty())
    return complain("give either --target, to play, or --out, to write a trace");
  const auto length = parse_duration(arguments.length);
  if (!length || *length <= Duration::zero())
    return complain("--length must be a time with its unit, as \"24 h\"");
  arguments.day.length = *length;
  const std::unique_ptr<EventSource> source = open_source(arguments);
  if (!source) return ExitCode::kFailed;
  if (!arguments.out.empty()) return write_trace(*source, arguments.out);
  return play(
      arguments, {.speed = arguments.speed, .format = formats().at(arguments.format)}, *source);
}

}  // namespace

void add_play(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("play", "Play traces, or a made-up day of chat, as WebSocket clients");
  auto arguments = std::make_shared<PlayArguments>();
  command->add_option("FILE", arguments->files, "Traces as NDJSON; - is the standard input");
  command->add_flag("--synthetic", arguments->synthetic, "A made-up day of chat, with abuse in it");
  command
      ->add_option(
          "--target", arguments->target, "Where to play to: ws://HOST:PORT[/PATH], or wss://")
      ->type_name("URL");
  command
      ->add_option("--authorities",
                   arguments->authorities,
                   "Certificate authorities (PEM) that may vouch for a wss:// target; else the "
                   "system's")
      ->type_name("FILE");
  command->add_option("--speed", arguments->speed, "As many times as fast as life")
      ->type_name("N")
      ->check(CLI::Range(.001, 1e6));
  command
      ->add_option("--format",
                   arguments->format,
                   "hub: JSON of the built-in hub; text: plain text of exactly the traced size")
      ->check(CLI::IsMember(formats()).description(""))
      ->type_name("hub|text");
  command
      ->add_option("--out",
                   arguments->out,
                   "Write the events to this trace instead (- is the "
                   "standard output)")
      ->type_name("FILE");
  command
      ->add_option("--seed", arguments->day.seed, "Of the made-up day: another seed, another day")
      ->type_name("N");
  command->add_option("--users", arguments->day.users, "Of the made-up day: ordinary people")
      ->type_name("N")
      ->check(CLI::Range(10, 1'000'000));
  command->add_option("--length", arguments->length, "Of the made-up day, as \"2 h\"")
      ->type_name("TIME");
  command->footer(
      "\nEach user is a connection of its own; user and address travel in X-User-Id and\n"
      "X-Forwarded-For, which the gateway believes only from configured proxies:\n"
      "\n"
      "  liminal serve --time-scale 60 --set identity.trusted_proxies=127.0.0.1\n"
      "  liminal play --synthetic --speed 60 --target ws://127.0.0.1:8080\n"
      "\n"
      "A day as a file, and what the engine alone finds in it:\n"
      "\n"
      "  liminal play --synthetic --out day.ndjson && liminal replay day.ndjson\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
