#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/result.hpp"
#include "io/epoll/mailbox.hpp"
#include "io/epoll/socket.hpp"
#include "io/epoll/timer_wheel.hpp"

namespace liminal::epoll {

/// What became possible on a socket.
struct Ready {
  bool readable = false;
  bool writable = false;
  bool ended = false;  ///< the other side has finished or broken off: reading will show it
};

/// Whoever wants to hear of a socket. Its address is what the system keeps: it must not move.
class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  virtual void on_ready(Ready ready) = 0;
};

/// Something that is destroyed at the end of a turn, when no event of the turn can reach it.
class Retired {
 public:
  virtual ~Retired() = default;
};

/// One thread's loop: readiness of sockets (edge-triggered), tasks from other threads, timers.
///
/// Edge-triggered means: `on_ready` comes once when bytes arrive; read until fewer bytes come than
/// there was room for. Nothing is registered anew for each message, so a quiet connection costs
/// nothing and a busy one a read and a write.
///
/// Thread rule: everything but `post`, `stop` and `dropped_tasks` is for the loop's own thread.
class Loop {
 public:
  struct Options {
    std::size_t mailbox_max = 65'536;
    /// The machine's steady clock unless a test brings its own.
    std::function<LoopTime()> clock;
  };
  explicit Loop(Options options);
  Loop() : Loop(Options{}) {}
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Says whether the system gave what a loop needs; nothing else may be called when not.
  [[nodiscard]] Result<void> status() const;

  /// Starts telling `handler` about reading and the end; about writing from `watch_writing` on.
  /// Closing the descriptor ends it.
  [[nodiscard]] Result<void> add(const Descriptor& descriptor, Handler& handler);
  /// Asks for (or no longer for) word that a full socket has room again. Also repeats what is
  /// readable at the moment.
  void watch_writing(const Descriptor& descriptor, Handler& handler, bool on);
  void remove(const Descriptor& descriptor);

  /// Takes care of an object whose sockets are closed until no event can reach it any more. It
  /// must ignore events until then.
  void retire(std::unique_ptr<Retired> object) { retired_.push_back(std::move(object)); }

  /// Counted from this turn's time.
  void arm(Timer& timer, Duration delay) { timers_.arm(timer, delay, now_); }
  /// This turn's time: read once a turn.
  [[nodiscard]] LoopTime now() const { return now_; }
  /// Reads the clock: how far this turn has come since `now()`.
  [[nodiscard]] LoopTime read_clock() const;

  /// Runs at the end of each turn in which anything happened, for what is better done in a batch.
  void at_turn_end(std::function<void()> call) { turn_end_.push_back(std::move(call)); }

  /// Runs `task` on the loop's thread. False (and counted) when too many wait. Any thread.
  bool post(Task task);
  /// The same, never refused: for who bounds by other means how many of its own wait.
  void post_reserved(Task task);
  [[nodiscard]] std::uint64_t dropped_tasks() const { return mailbox_.dropped(); }

  /// Until `stop`.
  void run();
  /// One turn, waiting at most `wait`. False when nothing happened.
  bool run_once(Duration wait);
  /// Makes `run` return after its turn. Any thread, also before `run`.
  void stop();

 private:
  void wake();
  void run_tasks();
  [[nodiscard]] int timeout_ms(Duration wait) const;

  Options options_;
  Descriptor epoll_, wakeup_;
  LoopTime now_;
  TimerWheel timers_;
  Mailbox mailbox_;
  std::vector<Task> tasks_;
  std::vector<std::unique_ptr<Retired>> retired_;
  std::vector<std::function<void()>> turn_end_;
  std::atomic<bool> stopping_{false};
};

}  // namespace liminal::epoll
