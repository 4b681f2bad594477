#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace liminal::signals {

/// Of threads that compute for long: beside one of the others such a thread gets a tenth.
inline constexpr int kNiceOfLongWork = 10;

/// A thread that does one task after the other. Thread-safe.
class WorkThread {
 public:
  /// `nice`: how much it gives way to others, 0 to 19.
  explicit WorkThread(std::size_t waiting_max, int nice = 0);
  ~WorkThread() { finish(); }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  /// False, and the task is dropped, when too many wait or it has finished.
  bool run(std::function<void()> task);
  /// Ends the task that is under way and drops what waits; no more is taken.
  void finish();

  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void work();

  const std::size_t waiting_max_;
  const int nice_;
  std::mutex mutex_;  // of what follows
  std::condition_variable there_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace liminal::signals
