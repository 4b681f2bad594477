#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace liminal::kenning {

/// A program that runs, with all that it begins: they are one process group, and end together.
///
/// The program gets this process's environment but for Liminal's own settings (LIMINAL_…), no open
/// file of ours, no input, and the priority of the thread that began it. Its environment names the
/// folder, by which `end_left_behind` finds what it began. Not thread-safe.
class ProcessGroup {
 public:
  /// Begins a program (a path, or a name in PATH) in a folder; what it prints goes into a file
  /// there. Fails in words.
  [[nodiscard]] static tl::expected<ProcessGroup, std::string> begin(
      const std::vector<std::string>& command,
      const std::string& folder,
      const std::string& output);

  ProcessGroup(ProcessGroup&& other) noexcept;
  ProcessGroup& operator=(ProcessGroup&&) = delete;
  /// Kills what is left.
  ~ProcessGroup();

  /// How the program itself ended: its exit code, or minus the signal that ended it. Nothing while
  /// it runs.
  [[nodiscard]] std::optional<int> ended() const;

  /// Ends the whole group: SIGTERM, which the program may take `patience` to follow, then SIGKILL
  /// for whatever is left. When it returns the program has ended and its children are told to.
  /// Gives how it ended. Once; then only the destructor.
  int end(std::chrono::milliseconds patience);

 private:
  explicit ProcessGroup(pid_t leader) : leader_(leader) {}
  pid_t leader_;  ///< is a zombie after its end, so that nobody else gets the group's number
};

/// Where a program is: the path itself, or the first of this name in PATH. Nothing when there is
/// none that may be run.
[[nodiscard]] std::optional<std::string> find_program(const std::string& name);

/// Kills every process that was begun in a folder, or by one that was, and still runs: what left
/// its group, or outlived a Liminal that was killed. Processes of other users are not seen.
void end_left_behind(const std::string& folder);

}  // namespace liminal::kenning
