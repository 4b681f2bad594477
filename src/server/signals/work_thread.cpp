#include "server/signals/work_thread.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace liminal::signals {

WorkThread::WorkThread(std::size_t waiting_max, int nice)
    : waiting_max_(waiting_max), nice_(nice), thread_([this] { work(); }) {}

bool WorkThread::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= waiting_max_) {
      ++refused_;
      return false;
    }
    waiting_.push_back(std::move(task));
  }
  there_.notify_one();
  return true;
}

void WorkThread::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  there_.notify_all();
  if (thread_.joinable()) thread_.join();
  waiting_.clear();
}

void WorkThread::work() {
  // The priority of a thread is its own on Linux; a refusal changes nothing.
  if (nice_ > 0) static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice_));
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      there_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace liminal::signals
