#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "io/epoll/loop.hpp"

namespace liminal::app {

/// One thread for what may block, such as reading the store. Bounded.
class BlockingThread {
 public:
  BlockingThread() : thread_([this] { loop_.run(); }) {}
  ~BlockingThread() {
    loop_.stop();
    thread_.join();
  }
  BlockingThread(const BlockingThread&) = delete;
  BlockingThread& operator=(const BlockingThread&) = delete;

  /// False when too much waits.
  bool run(std::function<void()> task) { return loop_.post(std::move(task)); }

 private:
  epoll::Loop loop_{{.mailbox_max = 1024, .clock = {}}};
  std::thread thread_;
};

}  // namespace liminal::app
