#pragma once

#include <memory>
#include <vector>

#include "io/epoll/loop.hpp"
#include "server/gateway/health.hpp"
#include "server/gateway/thread.hpp"

namespace liminal::gateway {

/// One thread's part of the gateway: accepts, hands over to the owner of the user, relays.
///
///     epoll::Loop loop;                                     // one of each on each thread
///     Gateway gateway(loop, engine, nullptr, census, 0);
///     gateway.configure(settings);
///     gateway.connect_peers({&gateway, &other});
///     gateway.listen(std::move(listener));
///     loop.run();
///
/// Thread rule: the loop's thread only, but before `run` and for `counters` and `take_over`.
class Gateway {
 public:
  /// `service` may be null when there always is an upstream. What is given must outlive it.
  Gateway(
      epoll::Loop& loop, Engine& engine, LocalService* service, Census& census, std::size_t index);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Every thread's gateway, itself too, by index; before anything is accepted.
  void connect_peers(std::vector<Gateway*> peers) { peers_ = std::move(peers); }

  /// From now on this holds: for new connections wholly, for those that are there as far as it
  /// can (limits, time-outs, paths; not their upstream, which they keep, for `drain_timeout` at
  /// most where it is none any more).
  void configure(std::shared_ptr<const Settings> settings);

  /// Whom to tell what an operator should know; before anything is accepted. It must outlive this.
  void report_to(Reporter& reporter) { thread_.reporter = &reporter; }

  /// Accepts there, until `stop_listening`.
  [[nodiscard]] Result<void> listen(epoll::Listener listener);
  void stop_listening();

  /// Stops accepting and takes leave of every connection (1001). `idle` tells when all are gone;
  /// whoever is left after `close_timeout` is cut off.
  void drain();
  [[nodiscard]] bool idle() const;

  /// Ends the connections of a user whom the engine blocks now (1008), and refuses those of his
  /// that are on their way in. Cost: a look at each connection of this thread, when he has any at
  /// all.
  void end_blocked(const traffic::Name& user);

  /// Any thread: puts a connection into this one's care. False when too much waits there.
  [[nodiscard]] bool take_over(Arrival arrival);

  /// Any thread.
  [[nodiscard]] const Counters& counters() const { return thread_.counters; }
  [[nodiscard]] prometheus::Histogram handshake_seconds() const {
    return thread_.handshake_seconds.read();
  }
  [[nodiscard]] prometheus::Histogram message_seconds() const {
    return thread_.message_seconds.read();
  }
  [[nodiscard]] prometheus::Histogram connection_seconds() const {
    return thread_.connection_seconds.read();
  }
  [[nodiscard]] std::size_t connections() const { return thread_.connections.size(); }

 private:
  struct Door;
  void flush_dirty();

  Thread thread_;
  HealthChecks health_{thread_};  ///< of the first thread, for all
  std::vector<Gateway*> peers_;
  std::vector<std::unique_ptr<Door>> doors_;
};

/// What all threads counted.
[[nodiscard]] Totals sum(const std::vector<Gateway*>& gateways);

}  // namespace liminal::gateway
