#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace liminal::epoll {

/// A call to be made later, once, that may own what cannot be copied (a socket).
class Task {
 public:
  Task() = default;
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Task> && std::is_invocable_v<F&>)
      Task(F&& call)  // NOLINT(google-explicit-constructor): any callable is a task
      : call_(std::make_unique<Call<std::decay_t<F>>>(std::forward<F>(call))) {}

  void operator()() const { call_->run(); }
  explicit operator bool() const { return call_ != nullptr; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Call final : Base {
    explicit Call(F&& f) : call(std::move(f)) {}
    explicit Call(const F& f) : call(f) {}
    void run() override { call(); }
    F call;
  };
  std::unique_ptr<Base> call_;
};

/// Tasks from any thread for one thread, at most `capacity` waiting. Whoever finds it full is told
/// and its task dropped: a loop that cannot keep up must not eat the memory of the machine.
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  enum class Put {
    kFull,   ///< dropped and counted
    kFirst,  ///< accepted; the reader must be woken
    kMore,   ///< accepted; somebody before woke the reader
  };
  [[nodiscard]] Put put(Task task);
  /// The same without a bound: for who bounds by other means how many of its own wait.
  [[nodiscard]] Put put_reserved(Task task);

  /// All that waits, in order of arrival. One thread only.
  void take(std::vector<Task>& into);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] Put append(Task task);

  const std::size_t capacity_;
  std::mutex mutex_;
  std::vector<Task> waiting_;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace liminal::epoll
