#include "server/gateway/gateway.hpp"

#include <cerrno>
#include <utility>

#include "server/gateway/connection.hpp"
#include "server/gateway/handshake.hpp"

namespace liminal::gateway {
namespace {

/// Accepted in one go, so that a flood of connections leaves the others their turn.
constexpr int kAcceptsPerTurn = 64;
/// How long to wait when descriptors or places for handshakes have run out.
constexpr Duration kAcceptPause = std::chrono::milliseconds{100};

}  // namespace

/// A listener and what happens at it.
struct Gateway::Door final : epoll::Handler, epoll::Retired, epoll::Timer {
  Door(Gateway& g, epoll::Listener l) : gateway(g), listener(std::move(l)) {}

  void on_ready(epoll::Ready) override { accept_waiting(); }
  void on_timer() override { accept_waiting(); }

  void accept_waiting() {
    Thread& thread = gateway.thread_;
    Duration pause = Duration::zero();
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      if (!listener.Descriptor::open()) return;
      if (thread.handshakes.size() >= thread.options().handshakes_max) {
        pause = kAcceptPause;
        break;
      }
      auto accepted = listener.accept();
      if (!accepted) {
        const std::uint64_t error = accepted.error().position;
        if (error == EAGAIN) return;
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
          thread.counters.rejections[static_cast<std::size_t>(Rejection::kOverloaded)].add();
          pause = kAcceptPause;
          break;
        }
        continue;  // that one gave up before it was accepted
      }
      Handshake::accept(thread, epoll::Stream(std::move(accepted->first)), accepted->second);
    }
    // Those that still wait make no edge.
    thread.loop.arm(*this, pause);
  }

  Gateway& gateway;
  epoll::Listener listener;
};

Gateway::Gateway(
    epoll::Loop& loop, Engine& engine, LocalService* service, Census& census, std::size_t index)
    : thread_(loop, engine, service, census) {
  thread_.index = index;
  thread_.hand_over = [this](std::size_t owner, Arrival arrival) {
    return peers_[owner]->take_over(std::move(arrival));
  };
  loop.at_turn_end([this] { flush_dirty(); });
}

Gateway::~Gateway() = default;

void Gateway::configure(std::shared_ptr<const Settings> settings) {
  thread_.configure(std::move(settings));
  if (thread_.index == 0) health_.configure();
  if (thread_.settings->upstreams) thread_.settings->upstreams->mark(thread_.loop.now());
  for (const auto& connection : thread_.connections) connection->reconfigured();
}

Result<void> Gateway::listen(epoll::Listener listener) {
  doors_.push_back(std::make_unique<Door>(*this, std::move(listener)));
  const auto added = thread_.loop.add(doors_.back()->listener, *doors_.back());
  if (!added) doors_.pop_back();
  return added;
}

void Gateway::stop_listening() {
  for (std::unique_ptr<Door>& door : doors_) {
    door->cancel();
    door->listener.close();
    thread_.loop.retire(std::move(door));
  }
  doors_.clear();
}

void Gateway::drain() {
  thread_.draining = true;
  health_.stop();
  stop_listening();
  // Backwards: whoever goes at once gives its place to the last one.
  for (std::size_t i = thread_.handshakes.size(); i-- > 0;)
    static_cast<Handshake&>(*thread_.handshakes[i]).shut_down();
  for (std::size_t i = thread_.connections.size(); i-- > 0;) thread_.connections[i]->shut_down();
}

void Gateway::end_blocked(const traffic::Name& user) {
  std::uint32_t left = thread_.census.of_user(user.hash);
  // Backwards: whoever goes at once gives its place to the last one.
  for (std::size_t i = thread_.handshakes.size(); i-- > 0 && left > 0;)
    if (static_cast<Handshake&>(*thread_.handshakes[i]).refuse_if_blocked(user)) --left;
  for (std::size_t i = thread_.connections.size(); i-- > 0 && left > 0;)
    if (thread_.connections[i]->end_if_blocked(user)) --left;
}

bool Gateway::idle() const { return thread_.connections.empty() && thread_.handshakes.empty(); }

bool Gateway::take_over(Arrival arrival) {
  return thread_.loop.post([this, arrival = std::move(arrival)]() mutable {
    Handshake::adopt(thread_, std::move(arrival));
  });
}

void Gateway::flush_dirty() {
  // Flushing may make others dirty (a farewell in a channel): they have their turn too.
  while (!thread_.dirty.empty()) {
    const std::vector<Connection*> now = std::exchange(thread_.dirty, {});
    for (Connection* connection : now) connection->flush();
  }
}

Totals sum(const std::vector<Gateway*>& gateways) {
  Totals totals;
  for (const Gateway* gateway : gateways) add_to(totals, gateway->counters());
  return totals;
}

}  // namespace liminal::gateway
