#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <memory>

#include "app/command.hpp"
#include "app/configuration_options.hpp"
#include "app/log.hpp"
#include "app/serve/server.hpp"

namespace liminal::app {
namespace {

constexpr Duration kDrainPatience = std::chrono::seconds{10};

/// Takes the signals that steer a server as readable events, on every thread.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    descriptor_ = signalfd(-1, &set, SFD_CLOEXEC);
  }
  ~Signals() { close(descriptor_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// The next one, or 0 when none came for a second.
  [[nodiscard]] int wait_a_second() const {
    pollfd waited{descriptor_, POLLIN, 0};
    if (poll(&waited, 1, 1000) <= 0) return 0;
    signalfd_siginfo info{};
    return read(descriptor_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                : 0;
  }

 private:
  int descriptor_ = -1;
};

/// With any problem the configuration in force stays; what was wrong is in the log, where whoever
/// sent the signal looks.
void reload(Server& server, const Loaded& loaded, Log& log) {
  static LogSite site;
  for (const Complaint& warning : loaded.warnings)
    log.write(LogLevel::kWarning,
              site,
              "reload.warning",
              {{"where", warning.where},
               {"key", warning.problem.key},
               {"warning", warning.problem.text}});
  for (const Complaint& problem : loaded.problems)
    log.write(
        LogLevel::kError,
        site,
        "reload.failed",
        {{"where", problem.where}, {"key", problem.problem.key}, {"error", problem.problem.text}});
  loaded.problems.empty() ? server.reload(loaded.configuration) : server.reload_failed();
}

ExitCode serve(const ConfigurationOptions& options) {
  const auto loaded = load_for_server_or_complain(options);
  if (!loaded) return ExitCode::kUsage;
  const Configuration& configuration = loaded->configuration;
  const Signals signals;  // before any thread begins
  Log log(configuration.log.level, configuration.log.format);
  auto server = Server::start(configuration, log);
  if (!server) {
    fmt::print(stderr, "liminal: {}\n", server.error());
    return ExitCode::kFailed;
  }
  fmt::print("ready listen={} api={}", (*server)->listen_address(), (*server)->api_address());
  if (const std::string grpc = (*server)->grpc_address(); !grpc.empty())
    fmt::print(" grpc={}", grpc);
  fmt::print("\n");
  std::fflush(stdout);
  for (;;) {
    const int signal = signals.wait_a_second();
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) {
      reload(**server, options.load(), log);
    }
    (*server)->housekeep();
  }
  static LogSite site;
  log.write(LogLevel::kInfo, site, "stopping");
  (*server)->stop(kDrainPatience);
  return ExitCode::kDone;
}

}  // namespace

void add_serve(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("serve", "Run the gateway, the engine and the API");
  auto options = std::make_shared<ConfigurationOptions>();
  options->add_to(*command);
  command->footer(
      "\nWithout an upstream the built-in channel hub answers. Once ready, one line on the "
      "standard\n"
      "output says where:\n"
      "\n  ready listen=HOST:PORT api=HOST:PORT\n"
      "\nSIGTERM takes leave of connections, saves and exits with 0; SIGHUP reads the "
      "configuration\n"
      "again.\n"
      "\n  liminal serve --upstream ws://127.0.0.1:9000\n");
  command->callback([&chosen, options] { chosen = [options] { return serve(*options); }; });
}

}  // namespace liminal::app
