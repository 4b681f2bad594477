#include "server/hub/threads.hpp"

#include <utility>

namespace liminal::hub {
namespace {

/// Messages handed out before the loop looks at its sockets again: some hundred microseconds.
constexpr std::size_t kDeliveriesATurn = 1024;

}  // namespace

ThreadHub::ThreadHub(const Options& options, epoll::Loop& loop, Threads& threads)
    : hub_(options), loop_(loop), threads_(threads) {}

void ThreadHub::join(Peer& peer) {
  hub_.join(peer);
  tell();
}

void ThreadHub::leave(Peer& peer) {
  hub_.leave(peer);
  tell();
}

Counts ThreadHub::counts() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

void ThreadHub::tell() {
  Counts counts = hub_.counts();
  counts.dropped_forwards = dropped_forwards_;
  const std::lock_guard lock(mutex_);
  told_ = counts;
}

void ThreadHub::receive(Peer& peer, std::string_view message, EventTime now) {
  const SharedPublication publication = hub_.receive(peer, message, now);
  if (!publication) return tell();
  dropped_forwards_ += threads_.forward(*this, publication);
  // While a delivery goes on in turns, it takes this one along.
  if (!scheduled_) deliver();
  tell();
}

void ThreadHub::accept(SharedPublication publication) {
  hub_.accept(std::move(publication));
  if (!scheduled_) deliver();
  tell();
}

void ThreadHub::deliver() {
  scheduled_ = hub_.deliver(kDeliveriesATurn);
  if (!scheduled_) return;
  if (!loop_.post([this] {
        deliver();
        tell();
      }))
    loop_.arm(retry_, epoll::TimerWheel::kTick);
}

Threads::Threads(const Options& options, std::span<epoll::Loop* const> loops) {
  hubs_.reserve(loops.size());
  for (epoll::Loop* const loop : loops)
    hubs_.push_back(std::make_unique<ThreadHub>(options, *loop, *this));
}

Counts Threads::counts() const {
  Counts all;
  for (const std::unique_ptr<ThreadHub>& hub : hubs_) all += hub->counts();
  return all;
}

std::size_t Threads::forward(const ThreadHub& from, const SharedPublication& publication) {
  std::size_t refused = 0;
  for (const std::unique_ptr<ThreadHub>& hub : hubs_) {
    if (hub.get() == &from) continue;
    ThreadHub* const to = hub.get();
    if (!to->loop_.post([to, publication] { to->accept(publication); })) ++refused;
  }
  return refused;
}

}  // namespace liminal::hub
