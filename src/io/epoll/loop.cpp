#include "io/epoll/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace liminal::epoll {
namespace {

constexpr int kEventsMax = 512;
constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP | EPOLLET;

LoopTime steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

tl::unexpected<Error> system_failure() {
  return failure(ErrorCode::kIo, static_cast<std::uint64_t>(errno));
}

}  // namespace

Loop::Loop(Options options)
    : options_(std::move(options)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      now_(read_clock()),
      timers_(now_),
      mailbox_(options_.mailbox_max) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // stands for the mailbox
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event);
}

Loop::~Loop() {
  // What is retired, and what waits, may own sockets and timers of this loop.
  retired_.clear();
  mailbox_.take(tasks_);
  tasks_.clear();
}

LoopTime Loop::read_clock() const { return options_.clock ? options_.clock() : steady_now(); }

Result<void> Loop::status() const {
  if (!epoll_.open() || !wakeup_.open()) return failure(ErrorCode::kIo, EMFILE);
  return {};
}

Result<void> Loop::add(const Descriptor& descriptor, Handler& handler) {
  epoll_event event{};
  event.events = kReading;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event) != 0)
    return system_failure();
  return {};
}

void Loop::watch_writing(const Descriptor& descriptor, Handler& handler, bool on) {
  epoll_event event{};
  event.events = on ? kReading | EPOLLOUT : kReading;
  event.data.ptr = &handler;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor.get(), &event);
}

void Loop::remove(const Descriptor& descriptor) {
  epoll_event unused{};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor.get(), &unused);
}

void Loop::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wakeup_.get(), &one, sizeof one);
}

bool Loop::post(Task task) {
  const Mailbox::Put put = mailbox_.put(std::move(task));
  if (put == Mailbox::Put::kFirst) wake();
  return put != Mailbox::Put::kFull;
}

void Loop::post_reserved(Task task) {
  if (mailbox_.put_reserved(std::move(task)) == Mailbox::Put::kFirst) wake();
}

void Loop::run_tasks() {
  mailbox_.take(tasks_);
  for (const Task& task : tasks_) task();
  tasks_.clear();
}

int Loop::timeout_ms(Duration wait) const {
  const LoopTime now = read_clock();
  if (const std::optional<Duration> next = timers_.until_next(now)) wait = std::min(wait, *next);
  constexpr Duration kLongest = std::chrono::hours{1};
  const auto ms =
      std::chrono::ceil<std::chrono::milliseconds>(std::clamp(wait, Duration::zero(), kLongest));
  return static_cast<int>(ms.count());
}

bool Loop::run_once(Duration wait) {
  std::array<epoll_event, kEventsMax> events;  // not cleared: the system fills what is used
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, timeout_ms(wait));
  now_ = read_clock();
  bool mail = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      mail = true;
      continue;
    }
    const std::uint32_t bits = event.events;
    static_cast<Handler*>(event.data.ptr)
        ->on_ready({.readable = (bits & EPOLLIN) != 0,
                    .writable = (bits & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0,
                    .ended = (bits & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0});
  }
  // The edge-triggered eventfd is never read: each write is an edge of its own.
  if (mail) run_tasks();
  timers_.advance(now_);
  for (const auto& call : turn_end_) call();
  // What is destroyed may retire others: they wait for the next turn.
  std::vector<std::unique_ptr<Retired>> gone;
  gone.swap(retired_);
  return count > 0;
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_acquire)) (void)run_once(std::chrono::hours{1});
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

}  // namespace liminal::epoll
