#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace liminal::sqlite {

/// Moves what the write-ahead log holds into the database file, on a thread of its own: the two
/// fsyncs that this takes, half a second each on a busy disk, hold up no commit.
///
/// A checkpoint beside a writer lets the log start anew only when nothing was committed meanwhile.
/// So a log may grow past what was asked for; the writer sees to its bound.
class Checkpointer {
 public:
  /// Of the database at `path`, through the file system `vfs` (see `Database::Options`).
  Checkpointer(std::string path, std::string vfs);
  /// Waits for a checkpoint that runs.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Thread-safe, returns at once. One that cannot be made is left to the next time.
  void ask();

 private:
  void run();
  void checkpoint() const;

  const std::string path_, vfs_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, closing_ = false;
  std::thread thread_;  // last: everything else exists when it starts
};

}  // namespace liminal::sqlite
