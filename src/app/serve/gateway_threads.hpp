#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "app/hub_service.hpp"
#include "server/gateway/gateway.hpp"
#include "server/hub/threads.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::app {

/// The gateway's engine on one thread: the shards that this thread owns.
class ThreadEngine final : public gateway::Engine {
 public:
  ThreadEngine(const shards::Runtime& runtime, shards::Worker& worker)
      : runtime_(runtime), worker_(worker) {}

  traffic::Verdict decide(const traffic::Event& event) override { return worker_.step(event); }
  bool blocks(const traffic::Event& event) const override { return worker_.blocks(event); }
  void failed(const traffic::Event& event) override { (void)worker_.step(event); }
  void hardened(const traffic::Event& event, const traffic::Verdict& done) override {
    worker_.note(event, done);
  }
  EventTime now() override { return EventTime{worker_.now().time_since_epoch()}; }
  std::size_t owner(ShardId shard) const override { return runtime_.owner(shard); }

 private:
  const shards::Runtime& runtime_;
  shards::Worker& worker_;
};

/// The gateway and the hub on the runtime's threads, one of each on every thread. Made before the
/// runtime starts; lives until it has stopped for good.
class GatewayThreads {
 public:
  /// Both must outlive it.
  GatewayThreads(shards::Runtime& runtime,
                 gateway::Reporter& reporter,
                 const hub::Options& hub_options);

  // What follows is for a runtime that runs, from outside its threads.

  /// From now on this holds, on one thread after the other. Before `listen`.
  void configure(const std::shared_ptr<const gateway::Settings>& settings);

  /// Listens on every thread, at the port that the system picked when `at` has port 0. Gives where.
  /// Fails with EADDRINUSE when another program listens there.
  [[nodiscard]] Result<epoll::Address> listen(const epoll::Address& at);

  /// Takes leave of every connection and waits until they are gone.
  void drain(Duration patience);

  /// Ends the connections of a user whom an override blocks now. Only on the thread that owns the
  /// user's shard, where his connections are.
  void end_blocked(std::string_view user);

  [[nodiscard]] gateway::Totals counters() const;
  [[nodiscard]] std::uint64_t connections() const { return census_.total(); }
  [[nodiscard]] prometheus::Histogram handshake_seconds() const;
  [[nodiscard]] prometheus::Histogram message_seconds() const;
  [[nodiscard]] prometheus::Histogram connection_seconds() const;
  [[nodiscard]] hub::Counts hub_counts() const { return hubs_->counts(); }
  /// Those that new connections go to; null before `configure`. Any thread.
  [[nodiscard]] std::shared_ptr<const gateway::Upstreams> upstreams() const;

 private:
  struct Part {
    Part(shards::Runtime& runtime, std::size_t index, hub::Threads& hubs, gateway::Census& census);
    ThreadEngine engine;
    HubService service;
    gateway::Gateway gateway;
  };
  /// Runs on every thread's loop; waits until all have.
  void on_each(const std::function<void(Part&)>& what);

  shards::Runtime& runtime_;
  mutable std::mutex mutex_;
  std::shared_ptr<const gateway::Upstreams> upstreams_;  ///< guarded by `mutex_`
  gateway::Census census_;
  std::unique_ptr<hub::Threads> hubs_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace liminal::app
