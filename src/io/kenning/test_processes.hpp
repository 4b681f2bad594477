#pragma once

#include <stdlib.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace liminal::kenning::testing {

/// A folder of its own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "liminal_kenning_XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Whether a process runs. One that ended and that nobody asked about yet does not.
inline bool runs(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string id, name, state;
  return static_cast<bool>(in >> id >> name >> state) && state != "Z" && state != "X";
}

/// The process whose number a file holds; 0 until it does.
inline pid_t process_in(const std::filesystem::path& file) {
  pid_t process = 0;
  std::ifstream in(file);
  return in >> process ? process : 0;
}

/// Waits until something is so, for at most ten seconds; whether it came.
template <class Is>
bool comes(Is is) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!is()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace liminal::kenning::testing
