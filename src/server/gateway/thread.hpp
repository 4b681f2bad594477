#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/wire/json_peek.hpp"
#include "io/epoll/loop.hpp"
#include "io/epoll/stream.hpp"
#include "io/prometheus/histogram.hpp"
#include "server/gateway/census.hpp"
#include "server/gateway/counters.hpp"
#include "server/gateway/identity.hpp"
#include "server/gateway/options.hpp"
#include "server/gateway/outbox.hpp"
#include "server/gateway/ports.hpp"
#include "server/gateway/upstreams.hpp"

namespace liminal::gateway {

class Connection;

/// What is configured, as threads share it. Immutable: a reload makes another one.
struct Settings {
  /// How sockets are protected: null ones are not.
  struct Ciphers {
    std::shared_ptr<const CipherFactory> clients;    ///< of all who connect
    std::shared_ptr<const CipherFactory> upstreams;  ///< of those that are wss://
  };

  Settings(Options what,
           std::shared_ptr<const Upstreams> where,
           std::shared_ptr<const TokenVerifier> who,
           Ciphers how = {})
      : options(std::move(what)),
        upstreams(std::move(where)),
        tokens(std::move(who)),
        ciphers(std::move(how)) {}

  const Options options;
  const std::shared_ptr<const Upstreams> upstreams;   ///< may be null or empty: the local service
  const std::shared_ptr<const TokenVerifier> tokens;  ///< may be null
  const Ciphers ciphers;
};

/// A connection on its way in, as it goes from the thread that accepted it to the one that owns
/// its user.
struct Arrival {
  epoll::Stream client;
  epoll::Address peer;
  std::string head;  ///< the upgrade request, whole
  std::unique_ptr<Identity> identity;
  epoll::LoopTime accepted{};  ///< all loops have the machine's one steady clock
  bool trusted = false;
};

/// What the connections of one thread share: everything that a quiet connection need not have.
struct Thread {
  Thread(epoll::Loop& loop, Engine& engine, LocalService* service, Census& census);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  /// Room for one read. Larger reads save system calls where much arrives, and no connection
  /// keeps anything of it.
  static constexpr std::size_t kReadBytes = 64 * 1024;

  epoll::Loop& loop;
  Engine& engine;
  LocalService* service;
  Reporter* reporter = nullptr;  ///< nobody listens
  Census& census;
  std::shared_ptr<const Settings> settings;
  std::size_t index = 0;
  /// Gives an arrival to the thread that owns its user. False when that thread's mailbox is full.
  std::function<bool(std::size_t owner, Arrival)> hand_over;

  /// Takes settings over, with what looks into messages as they say.
  void configure(std::shared_ptr<const Settings> what);
  /// What the texts at the configured places of a client's JSON message say. Valid until the next
  /// message.
  struct Said {
    std::string_view channel;  ///< empty when there is none
    bool signal = false;       ///< the client says it by itself
  };
  [[nodiscard]] Said said_in(std::string_view message);
  /// The same of the upstream's answers; empty when there is none.
  [[nodiscard]] std::string_view error_of(std::string_view message);

  std::vector<char> buffer = std::vector<char>(kReadBytes);
  std::vector<char> plain = std::vector<char>(kReadBytes);
  Gather gather;
  Counters counters;
  prometheus::LiveHistogram handshake_seconds;  ///< of those that were let in
  /// Of one message in 64: from when its socket was found readable to when what was read was passed
  /// on. What waits in the system before that is not seen.
  prometheus::LiveHistogram message_seconds;
  prometheus::LiveHistogram connection_seconds;  ///< of those that are over

  std::unique_ptr<wire::JsonPeek> message_peek, error_peek;  ///< null: nothing is looked for

  std::vector<std::unique_ptr<epoll::Retired>> handshakes;  ///< each knows its place
  std::vector<std::unique_ptr<Connection>> connections;     ///< each knows its place
  std::vector<Connection*> dirty;  ///< to be flushed at the end of the turn
  std::uint64_t last_connection = 0;
  std::uint32_t untimed = 0;  ///< messages since one was timed
  bool draining = false;

  [[nodiscard]] const Options& options() const { return settings->options; }
  void count(MessageType type, Direction direction);
  /// After what was read was passed on: times it when the 64th message was in it.
  void time_messages();
  [[nodiscard]] std::uint64_t next_connection() {
    return (static_cast<std::uint64_t>(index + 1) << 48) | ++last_connection;
  }
};

/// Takes an object out of a list in which each knows its place.
template <class List>
auto take_out(List& list, std::size_t place) {
  auto taken = std::move(list[place]);
  if (place + 1 != list.size()) {
    list[place] = std::move(list.back());
    list[place]->set_place(place);
  }
  list.pop_back();
  return taken;
}

}  // namespace liminal::gateway
