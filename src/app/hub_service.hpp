#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "core/base/time.hpp"
#include "server/gateway/ports.hpp"
#include "server/hub/threads.hpp"

namespace liminal::app {

/// Lets the built-in hub answer the gateway's connections when there is no upstream. One for each
/// thread, used on that thread only.
class HubService final : public gateway::LocalService {
 public:
  /// `now`: the engine's time, which messages carry.
  HubService(hub::ThreadHub& hub, std::function<EventTime()> now);
  ~HubService() override;

  void opened(gateway::LocalPeer& peer) override;
  void received(gateway::LocalPeer& peer, wire::Opcode opcode, std::string_view payload) override;
  void closed(gateway::LocalPeer& peer) override;

 private:
  class Member;

  hub::ThreadHub& hub_;
  std::function<EventTime()> now_;
  std::unordered_map<gateway::LocalPeer*, std::unique_ptr<Member>> members_;
};

}  // namespace liminal::app
