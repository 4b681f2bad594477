#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/client_options.hpp"
#include "app/command.hpp"
#include "app/http_ask.hpp"
#include "app/top_view.hpp"

namespace liminal::app {
namespace {

struct TopArguments {
  ClientOptions server;
  bool once = false;
  double interval_s = 1;
};

struct Size {
  std::size_t width = 100;
  std::size_t height = 40;
};

/// That of the terminal; of a pipe, one that holds everything of interest.
Size size_of_output() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {160, 60};
  return {size.ws_col, size.ws_row};
}

/// One frame, or why there is none.
tl::expected<std::string, std::string> frame(const TopArguments& arguments,
                                             Size size,
                                             bool colour) {
  const auto ask = [&](const char* path) -> tl::expected<nlohmann::json, std::string> {
    const auto answer = http_get(arguments.server.api, path, arguments.server.token);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200)
      return tl::unexpected(fmt::format("{}{}: {}", arguments.server.api, path, answer->status));
    auto parsed = nlohmann::json::parse(answer->body, nullptr, false);
    if (parsed.is_discarded()) return tl::unexpected(std::string("the answer is no JSON"));
    return parsed;
  };
  const auto status = ask("/ml/status");
  if (!status) return tl::unexpected(status.error());
  const auto alerts = ask("/ml/anomalies/recent?limit=100&order=salience");
  if (!alerts) return tl::unexpected(alerts.error());
  const auto incidents = ask("/ml/incidents?limit=3&scope=global");
  if (!incidents) return tl::unexpected(incidents.error());
  const auto users = ask("/ml/users?limit=100");
  if (!users) return tl::unexpected(users.error());
  return render_top(*status, *alerts, *incidents, *users, size.width, size.height, colour);
}

// What signal handlers can reach.
volatile std::sig_atomic_t stop_asked = 0;  // NOLINT

/// The terminal as a screen of its own, with keys read one by one; as it was when this ends.
class Screen {
 public:
  Screen() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    write("\x1b[?1049h\x1b[?25l");  // the other screen, no cursor
    struct sigaction action {};
    action.sa_handler = [](int) { stop_asked = 1; };
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
    action.sa_handler = [](int) {};  // only to wake up: the next frame asks for the size
    sigaction(SIGWINCH, &action, nullptr);
  }
  ~Screen() {
    write("\x1b[?25h\x1b[?1049l");
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

 private:
  termios before_{};
};

/// Waits for the next frame's time. False when somebody wants to leave.
bool wait(double interval_s) {
  pollfd key{STDIN_FILENO, POLLIN, 0};
  if (poll(&key, 1, static_cast<int>(interval_s * 1000)) == 1) {
    char pressed = 0;
    if (::read(STDIN_FILENO, &pressed, 1) != 1) return false;  // the input has ended
    if (pressed == 'q' || pressed == 'Q' || pressed == 3) return false;
  }
  return stop_asked == 0;
}

ExitCode run(const TopArguments& arguments) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const bool colour = terminal && std::getenv("NO_COLOR") == nullptr;
  const auto first = frame(arguments, size_of_output(), colour);
  if (!first) {
    fmt::print(stderr, "liminal: {}\n", first.error());
    return ExitCode::kFailed;
  }
  if (arguments.once || !terminal || isatty(STDIN_FILENO) != 1) {
    fmt::print("{}\n", *first);
    return ExitCode::kDone;
  }
  const Screen screen;
  for (;;) {
    const Size size = size_of_output();
    // The last line is the view's own.
    const auto shown = frame(arguments, {size.width, size.height - 1}, colour);
    std::string text = "\x1b[H";
    for (const char c : shown ? *shown : "liminal: " + shown.error())
      text += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
    text += fmt::format("\x1b[K\x1b[J\x1b[{};1H\x1b[2mq leaves\x1b[0m", size.height);
    Screen::write(text);
    if (!wait(arguments.interval_s)) return ExitCode::kDone;
  }
}

}  // namespace

void add_top(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("top", "Watch users, alerts and limits of a running server");
  auto arguments = std::make_shared<TopArguments>();
  arguments->server.add_to(*command);
  command->add_flag("--once", arguments->once, "Print one frame and leave; so does a pipe");
  command->add_option("--interval", arguments->interval_s, "Seconds between frames")
      ->type_name("S")
      ->check(CLI::Range(.1, 3600.));
  command->footer(
      "\nThe most salient incidents come first, then the most salient alerts; then the users that "
      "stand out most. LIMIT/S is the\n"
      "messages a second that a user may send now, REFUSED what a limit refused in the last\n"
      "minute, or in shadow would have. q leaves.\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
