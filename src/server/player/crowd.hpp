#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/random.hpp"
#include "core/traffic/event.hpp"
#include "io/epoll/loop.hpp"
#include "server/player/client.hpp"

namespace liminal::player {

/// What became of the events that a crowd was given.
struct CrowdCounts {
  std::uint64_t connections = 0;  ///< begun
  std::uint64_t opened = 0;
  std::uint64_t sent = 0;                     ///< messages handed to a connection that was let in
  std::uint64_t unsent = 0;                   ///< events that no connection could be had for
  std::uint64_t received = 0;                 ///< messages of the server
  std::uint64_t unreachable = 0;              ///< connections that nobody answered
  std::uint64_t broken = 0;                   ///< that ended without a word
  std::string problem;                        ///< of the last one whose TLS failed
  std::map<unsigned, std::uint64_t> refused;  ///< by status of the answer
  std::map<std::uint16_t, std::uint64_t> closed_codes;  ///< of closes that the server began
};

/// Plays users as WebSocket clients: each connection tells who it is in `X-User-Id` and from where
/// in `X-Forwarded-For`, which a gateway believes from a proxy that it trusts.
///
/// A message of somebody without a connection makes one first, and so does the next message of
/// somebody whom the server has thrown out: as people do.
/// Bounded by `connections_max`; beyond it events are counted as unsent. Thread rule: its loop's.
class Crowd final : public ClientOwner {
 public:
  struct Options {
    std::size_t connections_max = 10'000;
    std::uint64_t seed = 1;
  };
  Crowd(epoll::Loop& loop, Target target, const Options& options);
  ~Crowd() override;
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// The connection of an event: of its number and user when it has one, else the user's only one.
  void connect(const traffic::Event& event);
  void say(const traffic::Event& event, std::string_view text);
  void leave(const traffic::Event& event);

  /// Everybody says goodbye.
  void leave_all();
  [[nodiscard]] bool empty() const { return clients_.empty() && leaving_.empty(); }
  [[nodiscard]] std::size_t size() const { return clients_.size() + leaving_.size(); }
  [[nodiscard]] const CrowdCounts& counts() const { return counts_; }

 private:
  void opened(Client& client) override;
  void received(Client& client, const wire::Message& message) override;
  void closed(Client& client) override;
  [[nodiscard]] Client* find_or_connect(const traffic::Event& event);

  epoll::Loop& loop_;
  Target target_;
  Options options_;
  Random random_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
  /// Said goodbye, waiting for the answer: their users may be back before it comes.
  std::unordered_map<Client*, std::unique_ptr<Client>> leaving_;
  CrowdCounts counts_;
};

}  // namespace liminal::player
