#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "io/epoll/loop.hpp"
#include "server/hub/hub.hpp"

namespace liminal::hub {

class Threads;

/// The hub of one thread's connections, which tells the other threads' hubs what is published here.
/// For its loop's thread only, but for `counts`.
class ThreadHub {
 public:
  ThreadHub(const Options& options, epoll::Loop& loop, Threads& threads);

  void join(Peer& peer);
  void leave(Peer& peer);
  void receive(Peer& peer, std::string_view message, EventTime now);

  /// Any thread.
  [[nodiscard]] Counts counts() const;

 private:
  friend class Threads;
  /// Goes on when the loop's mailbox had no room for the next turn's task.
  class Retry : public epoll::Timer {
   public:
    explicit Retry(ThreadHub& hub) : hub_(hub) {}
    void on_timer() override { hub_.deliver(); }

   private:
    ThreadHub& hub_;
  };

  void accept(SharedPublication publication);
  void deliver();
  void tell();

  Hub hub_;
  epoll::Loop& loop_;
  Threads& threads_;
  Retry retry_{*this};
  std::uint64_t dropped_forwards_ = 0;
  bool scheduled_ = false;
  mutable std::mutex mutex_;  ///< nobody waits for it but who reads metrics
  Counts told_;               ///< for other threads
};

/// The hubs of all threads. A publication reaches the members on its own thread at once and those
/// on others through their loops' mailboxes: in the order in which its sender sent it, and in no
/// order between senders of different threads.
///
/// Made before the loops run; lives until they have stopped for good.
class Threads {
 public:
  Threads(const Options& options, std::span<epoll::Loop* const> loops);

  [[nodiscard]] ThreadHub& at(std::size_t thread) { return *hubs_.at(thread); }
  [[nodiscard]] std::size_t size() const { return hubs_.size(); }
  /// Of all. A channel counts on each thread that has members of it. Any thread.
  [[nodiscard]] Counts counts() const;

 private:
  friend class ThreadHub;
  /// Gives the number of threads that could not be told.
  [[nodiscard]] std::size_t forward(const ThreadHub& from, const SharedPublication& publication);

  std::vector<std::unique_ptr<ThreadHub>> hubs_;
};

}  // namespace liminal::hub
