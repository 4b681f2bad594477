#include "app/hub_service.hpp"

#include <utility>

#include "server/hub/protocol.hpp"

namespace liminal::app {

/// A gateway's connection as the hub sees it.
class HubService::Member final : public hub::Peer {
 public:
  explicit Member(gateway::LocalPeer& peer) : peer_(peer) {}
  [[nodiscard]] std::string_view user() const override { return peer_.user().text; }
  [[nodiscard]] bool send(std::string_view frames) override { return peer_.send(frames); }
  void failed() override { peer_.failed(); }

 private:
  gateway::LocalPeer& peer_;
};

HubService::HubService(hub::ThreadHub& hub, std::function<EventTime()> now)
    : hub_(hub), now_(std::move(now)) {}

HubService::~HubService() {
  for (const auto& entry : members_) hub_.leave(*entry.second);
}

void HubService::opened(gateway::LocalPeer& peer) {
  const auto added = members_.emplace(&peer, std::make_unique<Member>(peer));
  if (added.second) hub_.join(*added.first->second);
}

void HubService::received(gateway::LocalPeer& peer, wire::Opcode opcode, std::string_view payload) {
  const auto found = members_.find(&peer);
  if (found == members_.end()) return;
  if (opcode != wire::Opcode::kText) {
    // A peer whose queue is full misses this answer like any other.
    (void)peer.send(hub::error("messages must be text"));
    return peer.failed();
  }
  hub_.receive(*found->second, payload, now_());
}

void HubService::closed(gateway::LocalPeer& peer) {
  const auto found = members_.find(&peer);
  if (found == members_.end()) return;
  hub_.leave(*found->second);
  members_.erase(found);
}

}  // namespace liminal::app
