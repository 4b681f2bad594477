#include "server/gateway/name_watch.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace liminal::gateway {
namespace {

constexpr Duration kPatience = std::chrono::seconds{1};

epoll::LoopTime loop_time() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

struct NameWatch::State {
  State(Reporter& to, Resolve by, Duration pause)
      : reporter(to), resolve(std::move(by)), every(pause) {}

  void run() {
    std::unique_lock lock(mutex);
    while (!woken.wait_for(lock, every, [this] { return stopping; })) {
      if (!upstreams) continue;
      const std::shared_ptr<const Upstreams> now = upstreams;
      lock.unlock();
      const std::vector<Lookup> news = now->look_up_again(loop_time(), resolve);
      lock.lock();
      if (stopping) break;  // nobody listens any more
      for (const Lookup& each : news)
        reporter.upstream_resolved(each.upstream, each.known, each.addresses);
    }
    ended = true;
    woken.notify_all();
  }

  Reporter& reporter;
  const Resolve resolve;
  const Duration every;
  std::mutex mutex;
  std::condition_variable woken;
  std::shared_ptr<const Upstreams> upstreams;
  bool stopping = false, ended = false;
  std::thread thread;
};

NameWatch::NameWatch(Reporter& reporter, Resolve resolve, Duration every)
    : state_(std::make_shared<State>(reporter, std::move(resolve), every)) {
  state_->thread = std::thread([state = state_] { state->run(); });
}

NameWatch::~NameWatch() {
  bool ended = false;
  {
    std::unique_lock lock(state_->mutex);
    state_->stopping = true;
    state_->woken.notify_all();
    ended = state_->woken.wait_for(lock, kPatience, [this] { return state_->ended; });
  }
  if (ended) {
    state_->thread.join();
  } else {
    state_->thread.detach();
  }
}

void NameWatch::watch(std::shared_ptr<const Upstreams> upstreams) {
  const std::lock_guard lock(state_->mutex);
  state_->upstreams = std::move(upstreams);
}

}  // namespace liminal::gateway
