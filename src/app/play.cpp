#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "app/command.hpp"
#include "app/configuration/quantity.hpp"
#include "app/player.hpp"
#include "app/synthetic.hpp"
#include "app/trace.hpp"

namespace liminal::app {
namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> interrupted{false};  // NOLINT

struct PlayArguments {
  std::vector<std::string> files;
  bool synthetic = false;
  std::string target, out;
  double speed = 1;
  PlayFormat format = PlayFormat::kHub;
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
    if (file == "-") {
      source->add("standard input", std::make_unique<std::istream>(std::cin.rdbuf()));
      continue;
    }
    auto text = std::make_unique<std::ifstream>(file, std::ios::binary);
    if (!*text) {
      fmt::print(stderr, "liminal: {}: cannot be opened\n", file);
      return nullptr;
    }
    source->add(file, std::move(text));
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

/// ws://HOST:PORT/PATH into its parts; nothing when it is none.
std::optional<PlayOptions> parse_target(const std::string& url) {
  constexpr std::string_view kScheme = "ws://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  const std::size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  PlayOptions options;
  options.host = url.substr(kScheme.size(), slash - kScheme.size());
  if (slash < url.size()) options.path = url.substr(slash);
  if (options.host.empty()) return std::nullopt;
  return options;
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

std::string progress(const PlayCounts& counts) {
  std::string line = fmt::format("{}  {} connected  {} messages  {} answers",
                                 clock_text(counts.position),
                                 counts.open,
                                 counts.messages,
                                 counts.answers);
  if (counts.refused > 0) line += fmt::format("  {} refused", counts.refused);
  if (counts.closed > 0) line += fmt::format("  {} closed by the server", counts.closed);
  if (counts.failed > 0) line += fmt::format("  {} failed", counts.failed);
  if (counts.behind > std::chrono::seconds{1})
    line += fmt::format("  {} behind", clock_text(counts.behind));
  return line;
}

ExitCode play(PlayOptions options, EventSource& source) {
  const auto addresses = epoll::resolve(options.host);
  if (!addresses || addresses->empty()) {
    fmt::print(stderr, "liminal: {}: no such HOST:PORT\n", options.host);
    return ExitCode::kFailed;
  }
  options.target = addresses->front();
  raise_file_limit();
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  Player player(std::move(options));
  const PlayCounts counts = player.run(
      source,
      [terminal](const PlayCounts& now) {
        if (!terminal) return;
        fmt::print("\r\x1b[K{}", progress(now));
        std::fflush(stdout);
      },
      [] { return interrupted.load(); });
  if (terminal) fmt::print("\r\x1b[K");
  fmt::print(
      "{} events: {} connections, {} messages, {} answers; {} refused, {} failed, {} closed "
      "by the server, {} messages not sent\n",
      counts.events,
      counts.opened,
      counts.messages,
      counts.answers,
      counts.refused,
      counts.failed,
      counts.closed,
      counts.unsent);
  if (counts.opened > 0 || counts.events == 0) return ExitCode::kDone;
  fmt::print(stderr, "liminal: nobody was let in at the target\n");
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
  std::optional<PlayOptions> options;
  if (!arguments.target.empty()) {
    options = parse_target(arguments.target);
    if (!options) return complain("--target must be ws://HOST:PORT");
    options->speed = arguments.speed;
    options->format = arguments.format;
  }
  const std::unique_ptr<EventSource> source = open_source(arguments);
  if (!source) return ExitCode::kFailed;
  return options ? play(*options, *source) : write_trace(*source, arguments.out);
}

}  // namespace

void add_play(CLI::App& parent, Run& chosen) {
  static const std::map<std::string, PlayFormat> kFormats{{"hub", PlayFormat::kHub},
                                                          {"text", PlayFormat::kText}};
  auto* command =
      parent.add_subcommand("play", "Play traces, or a made-up day of chat, as WebSocket clients");
  auto arguments = std::make_shared<PlayArguments>();
  command->add_option("FILE", arguments->files, "Traces as NDJSON; - is the standard input");
  command->add_flag("--synthetic", arguments->synthetic, "A made-up day of chat, with abuse in it");
  command->add_option("--target", arguments->target, "Where to play to: ws://HOST:PORT[/PATH]")
      ->type_name("URL");
  command->add_option("--speed", arguments->speed, "As many times as fast as life")
      ->type_name("N")
      ->check(CLI::Range(.001, 1e6));
  command
      ->add_option("--format",
                   arguments->format,
                   "hub: JSON of the built-in hub; text: plain text of exactly the traced size")
      ->transform(CLI::CheckedTransformer(kFormats).description(""))
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
