#include "io/kenning/process_group.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "core/base/check.hpp"

namespace liminal::kenning {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLook{10};

/// What posix_spawn is told, freed at the end.
class Orders {
 public:
  Orders() {
    LIMINAL_CHECK(posix_spawn_file_actions_init(&actions) == 0);
    LIMINAL_CHECK(posix_spawnattr_init(&attributes) == 0);
  }
  ~Orders() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Orders(const Orders&) = delete;
  Orders& operator=(const Orders&) = delete;

  /// 0, or an errno.
  int give(const std::string& folder, const std::string& output) {
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2})
      sigaddset(&usual, signal);
    for (const int error :
         {posix_spawn_file_actions_addchdir_np(&actions, folder.c_str()),
          posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
          posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), kWrite, 0600),
          posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO),
          posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1),
          // The threads of a server block signals: a child that inherits that cannot be asked to
          // end.
          posix_spawnattr_setsigmask(&attributes, &none),
          posix_spawnattr_setsigdefault(&attributes, &usual),
          posix_spawnattr_setpgroup(&attributes, 0),
          posix_spawnattr_setflags(
              &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)})
      if (error != 0) return error;
    return 0;
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// What tells a job's processes from all others.
std::string mark_of(const std::string& folder) {
  std::error_code error;
  const auto whole = std::filesystem::weakly_canonical(folder, error);
  return "LIMINAL_JOB=" + (error ? folder : whole.string());
}

/// Liminal's settings may hold tokens.
std::vector<char*> environment(std::string& mark) {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!std::string_view(*entry).starts_with("LIMINAL_")) kept.push_back(*entry);
  kept.push_back(mark.data());
  kept.push_back(nullptr);
  return kept;
}

int code_of(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

}  // namespace

tl::expected<ProcessGroup, std::string> ProcessGroup::begin(const std::vector<std::string>& command,
                                                            const std::string& folder,
                                                            const std::string& output) {
  LIMINAL_CHECK(!command.empty());
  Orders orders;
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string mark = mark_of(folder);
  std::vector<char*> settings = environment(mark);
  int error = orders.give(folder, output);
  pid_t leader = 0;
  if (error == 0)
    error = posix_spawnp(&leader,
                         command.front().c_str(),
                         &orders.actions,
                         &orders.attributes,
                         arguments.data(),
                         settings.data());
  if (error != 0)
    return tl::unexpected(
        fmt::format("{} cannot be started: {}", command.front(), std::strerror(error)));
  return ProcessGroup(leader);
}

ProcessGroup::ProcessGroup(ProcessGroup&& other) noexcept
    : leader_(std::exchange(other.leader_, 0)) {}

ProcessGroup::~ProcessGroup() {
  if (leader_ != 0) (void)end(std::chrono::milliseconds(0));
}

std::optional<int> ProcessGroup::ended() const {
  LIMINAL_CHECK(leader_ != 0);
  siginfo_t info{};
  const auto id = static_cast<id_t>(leader_);
  if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
    return std::nullopt;
  return code_of(info);
}

int ProcessGroup::end(std::chrono::milliseconds patience) {
  LIMINAL_CHECK(leader_ != 0);
  if (!ended()) {
    (void)kill(-leader_, SIGTERM);
    const auto until = Clock::now() + patience;
    while (!ended() && Clock::now() < until) std::this_thread::sleep_for(kLook);
  }
  (void)kill(-leader_, SIGKILL);
  siginfo_t info{};
  const auto id = static_cast<id_t>(std::exchange(leader_, 0));
  while (waitid(P_PID, id, &info, WEXITED) != 0 && errno == EINTR) {
  }
  return code_of(info);
}

std::optional<std::string> find_program(const std::string& name) {
  const auto runs = [](const std::string& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
  };
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string::npos) return runs(name) ? std::optional(name) : std::nullopt;
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = (std::filesystem::path(rest.substr(0, end)) / name).string();
    if (end > 0 && runs(candidate)) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

void end_left_behind(const std::string& folder) {
  const std::string mark = mark_of(folder);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    pid_t process = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (wrong != std::errc{} || end != name.data() + name.size() || process == getpid()) continue;
    std::ifstream in(entry.path() / "environ", std::ios::binary);
    for (std::string setting; std::getline(in, setting, '\0');) {
      if (setting != mark) continue;
      (void)kill(process, SIGKILL);
      break;
    }
  }
}

}  // namespace liminal::kenning
