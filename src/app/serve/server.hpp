#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/configuration/configuration.hpp"
#include "app/log.hpp"
#include "app/serve/backend.hpp"
#include "app/serve/clock_keeper.hpp"
#include "app/serve/effects_sink.hpp"
#include "app/serve/gateway_threads.hpp"
#include "app/serve/measures.hpp"
#include "app/serve/metric_streams.hpp"
#include "app/serve/model_keeper.hpp"
#include "app/serve/operator_log.hpp"
#include "app/serve/salience_keeper.hpp"
#include "app/serve/scaling.hpp"
#include "app/serve/snapshots.hpp"
#include "io/files/file_system.hpp"
#include "io/http/server.hpp"
#include "io/sqlite/store.hpp"
#include "server/api/service.hpp"
#include "server/gateway/name_watch.hpp"
#include "server/journal/journal.hpp"
#include "server/shards/runtime.hpp"
#include "server/uplink/uplink.hpp"
#include "server/webhook/webhook.hpp"

namespace liminal::app {

/// Puts the shards' inputs into the journal.
class JournalRecorder final : public shards::Recorder {
 public:
  explicit JournalRecorder(journal::Journal& journal) : journal_(journal) {}
  void event(ShardId shard, std::uint64_t input, const traffic::Event& event) override {
    journal_.event(shard, input, event);
  }
  void tick(ShardId shard, std::uint64_t input, SteadyTime now) override {
    journal_.tick(shard, input, now);
  }
  void absorb(ShardId shard, std::uint64_t input, const engine::Exchange& exchange) override {
    journal_.absorb(shard, input, exchange);
  }
  void call(ShardId shard, std::uint64_t input, const engine::Call& call) override {
    journal_.call(shard, input, call);
  }

 private:
  journal::Journal& journal_;
};

/// Everything that `liminal serve` runs: store, shards, gateway, hub and API.
///
/// Starts from what the data directory holds: the engine's snapshot, alerts that were shown since,
/// overrides and limits that were set. Stops by taking leave of connections, then saving all.
class Server {
 public:
  /// `configuration` must be valid. What cannot be had is an error in words.
  [[nodiscard]] static tl::expected<std::unique_ptr<Server>, std::string> start(
      const Configuration& configuration, Log& log);
  /// Stops, if nobody did.
  ~Server();

  [[nodiscard]] std::string listen_address() const { return listen_address_; }
  [[nodiscard]] std::string api_address() const { return api_address_; }
  /// Empty when gRPC is not listened to.
  [[nodiscard]] std::string grpc_address() const { return scaling_->grpc_address(); }

  /// Once a second: persists the clock, and of the engine's state what changed and has its turn.
  void housekeep();

  /// Takes what of another configuration can change while running; says in the log what cannot.
  void reload(const Configuration& configuration);
  /// The configuration that should have been taken could not be read.
  void reload_failed() { ++measures_.reloads_failed; }

  /// Takes leave of connections for at most `patience`, saves and ends.
  void stop(Duration patience);

 private:
  Server(const Configuration& configuration, Log& log);
  [[nodiscard]] tl::expected<void, std::string> open_store();
  [[nodiscard]] shards::Options shard_options();
  void start_webhook();
  void join_cluster();
  void open_journal();
  void open_snapshots();
  [[nodiscard]] KeptLimits load_limits(limits::Options configured);
  void open_models();
  void ask_of_users(const registry::Served* champion);
  void load_state();
  [[nodiscard]] tl::expected<void, std::string> listen();
  [[nodiscard]] tl::expected<void, std::string> start_api();
  /// Null when something cannot be had; `problems` then says all of it.
  [[nodiscard]] std::shared_ptr<const gateway::Settings> gateway_settings(
      const Configuration& configuration, Problems& problems);
  void use_gateway_settings(const std::shared_ptr<const gateway::Settings>& settings,
                            const Configuration& configuration);

  Configuration configuration_;  ///< of the start
  Configuration latest_;         ///< of the last reload
  Log& log_;
  OperatorLog operator_log_{log_};  ///< outlives whoever reports to it
  Measures measures_;               ///< outlives whoever writes into it
  std::unique_ptr<sqlite::Store> store_;
  std::unique_ptr<ClockKeeper> clock_;
  std::unique_ptr<webhook::Webhook> webhook_;  ///< null: nothing is pushed
  std::unique_ptr<uplink::Uplink> uplink_;     ///< null: the engine is here alone
  files::PosixFileSystem file_system_;
  std::unique_ptr<SalienceKeeper> salience_;
  std::unique_ptr<EffectsSink> sink_;
  std::unique_ptr<journal::Journal> journal_;  ///< null: it cannot be written
  std::unique_ptr<JournalRecorder> recorder_;
  std::unique_ptr<shards::Runtime> runtime_;
  std::unique_ptr<GatewayThreads> gateways_;
  std::shared_ptr<const gateway::Upstreams> upstreams_;
  std::unique_ptr<gateway::NameWatch> names_;  ///< null: there never was an upstream
  std::unique_ptr<ScalingKeeper> scaling_;
  std::unique_ptr<MetricStreams> metric_streams_;
  std::unique_ptr<ModelKeeper> models_;
  std::unique_ptr<ServerBackend> backend_;
  std::unique_ptr<api::Service> service_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<Snapshots> snapshots_;
  std::string listen_address_, api_address_;
  bool running_ = false;
};

}  // namespace liminal::app
