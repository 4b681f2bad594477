// Kills a process that writes into the store, again and again, and looks for what is lost.
//
//   store_kill [--rounds N] [--longest MS] [--seed N] [--directory DIR]
//
// Each round starts a victim on the same data directory, kills it with SIGKILL at a random moment
// up to --longest after its start (so also while it opens the database) or, every other time, after
// its first acknowledgement, reopens the store and checks: every acknowledged alert, feedback,
// override, audit entry and answer is there, groups are whole, at most one second of feature rows
// is lost, the database is intact. Exits 1 at the first round that finds a problem and leaves the
// directory for a look.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>

#include "core/base/random.hpp"
#include "ledger.hpp"
#include "victim.hpp"

namespace liminal::kill_test {
namespace {

using Clock = std::chrono::steady_clock;

/// Room for what one life may write: the numbers of lives do not overlap.
constexpr std::uint64_t kNumbersPerLife = 1'000'000'000;

struct Life {
  std::string output;
  std::int64_t killed_ns = 0;
  int status = 0;
};

/// Everything that comes through the pipe until its other end is gone.
std::string drained(int pipe, std::atomic<bool>& spoken) {
  std::string all;
  char buffer[65'536];
  for (ssize_t count = 0; (count = ::read(pipe, buffer, sizeof buffer)) > 0; spoken = true)
    all.append(buffer, static_cast<std::size_t>(count));
  return all;
}

Life one_life(const std::string& self,
              const std::string& directory,
              std::uint64_t round,
              std::uint64_t seed,
              std::chrono::microseconds length,
              bool from_first_word) {
  int pipe[2];
  if (::pipe(pipe) != 0) std::exit(3);
  const std::string first = std::to_string(round * kNumbersPerLife);
  const std::string seed_text = std::to_string(seed);
  const pid_t child = ::fork();
  if (child < 0) std::exit(3);
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::close(pipe[0]);
    ::close(pipe[1]);
    ::execl(self.c_str(),
            self.c_str(),
            "--victim",
            "--directory",
            directory.c_str(),
            "--first",
            first.c_str(),
            "--seed",
            seed_text.c_str(),
            nullptr);
    std::_Exit(4);
  }
  ::close(pipe[1]);
  Life life;
  std::atomic<bool> spoken{false};
  std::thread reader([&] { life.output = drained(pipe[0], spoken); });
  const auto patience = Clock::now() + std::chrono::seconds{30};
  while (from_first_word && !spoken && Clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  std::this_thread::sleep_for(length);
  life.killed_ns = Clock::now().time_since_epoch().count();
  ::kill(child, SIGKILL);
  ::waitpid(child, &life.status, 0);
  reader.join();
  ::close(pipe[0]);
  return life;
}

struct Options {
  std::uint64_t rounds = 20;
  std::uint32_t longest_ms = 700;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;
  std::string directory;
  bool victim = false;
};

int run(const Options& options) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  Random random(options.seed);
  Ledger ledger;
  std::int64_t worst_rows_ns = 0, worst_open_ns = 0;
  for (std::uint64_t round = 1; round <= options.rounds; ++round) {
    const std::chrono::microseconds length{random.below(options.longest_ms * 1'000ULL)};
    const Life life =
        one_life(self, options.directory, round, random.bits(), length, round % 2 == 0);
    if (!WIFSIGNALED(life.status)) {
      std::cerr << "round " << round << ": the victim ended by itself\n";
      return 1;
    }
    ledger.read(life.output, life.killed_ns);
    const Ledger::Verdict verdict = ledger.judge(options.directory);
    std::printf(
        "round %llu: killed after %.1f ms, %llu writes acknowledged so far, %llu rows lost"
        " (%.0f ms), opened in %.1f ms\n",
        static_cast<unsigned long long>(round),
        static_cast<double>(length.count()) / 1e3,
        static_cast<unsigned long long>(ledger.acknowledged()),
        static_cast<unsigned long long>(verdict.rows_lost),
        static_cast<double>(verdict.rows_lost_ns) / 1e6,
        static_cast<double>(verdict.open_ns) / 1e6);
    for (std::size_t i = 0; i < std::min<std::size_t>(verdict.problems.size(), 20); ++i)
      std::cerr << "round " << round << ": " << verdict.problems[i] << "\n";
    if (!verdict.problems.empty()) return 1;
    worst_rows_ns = std::max(worst_rows_ns, verdict.rows_lost_ns);
    worst_open_ns = std::max(worst_open_ns, verdict.open_ns);
  }
  if (ledger.acknowledged() == 0) {
    std::cerr << "nothing was ever acknowledged: nothing is proved\n";
    return 1;
  }
  std::printf(
      "%llu kills, %llu writes acknowledged, 0 lost; rows of at most %.0f ms lost; opened in"
      " at most %.1f ms\n",
      static_cast<unsigned long long>(options.rounds),
      static_cast<unsigned long long>(ledger.acknowledged()),
      static_cast<double>(worst_rows_ns) / 1e6,
      static_cast<double>(worst_open_ns) / 1e6);
  return 0;
}

}  // namespace
}  // namespace liminal::kill_test

int main(int argc, char** argv) {
  using namespace liminal::kill_test;
  Options options;
  CLI::App app{"Kills a process that writes into the store and looks for what is lost"};
  app.add_option("--rounds", options.rounds, "kills");
  app.add_option("--longest", options.longest_ms, "longest life, ms")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of the moments and writes");
  app.add_option("--directory", options.directory, "data directory; else a temporary one");
  app.add_option("--first", options.first)->group("");
  app.add_flag("--victim", options.victim)->group("");
  CLI11_PARSE(app, argc, argv);
  if (options.victim) be_victim(options.directory, options.first, options.seed);
  if (!options.directory.empty()) return run(options);
  std::string name = (std::filesystem::temp_directory_path() / "liminal-kill-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return 3;
  options.directory = name;
  const int code = run(options);
  if (code == 0) std::filesystem::remove_all(name);
  return code;
}
