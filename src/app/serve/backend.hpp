#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "app/configuration/configuration.hpp"
#include "app/serve/blocking_thread.hpp"
#include "app/serve/effects_sink.hpp"
#include "app/serve/gateway_threads.hpp"
#include "app/serve/kept_limits.hpp"
#include "app/serve/measures.hpp"
#include "app/serve/metric_streams.hpp"
#include "app/serve/model_keeper.hpp"
#include "app/serve/salience_keeper.hpp"
#include "app/serve/scaling.hpp"
#include "app/serve/snapshots.hpp"
#include "core/engine/options.hpp"
#include "io/sqlite/store.hpp"
#include "server/api/backend.hpp"
#include "server/api/recent_rate.hpp"
#include "server/journal/journal.hpp"
#include "server/shards/runtime.hpp"
#include "server/signals/gateway_alerts.hpp"
#include "server/uplink/uplink.hpp"
#include "server/webhook/webhook.hpp"

namespace liminal::app {

/// What the API asks for, answered from the shards, the store and the gateway.
///
/// What was shown was read from the store, so it is never lost; what changes state is answered when
/// the store has committed it.
class ServerBackend final : public api::Backend {
 public:
  struct Parts {
    shards::Runtime& runtime;
    sqlite::Store& store;
    EffectsSink& sink;
    GatewayThreads& gateways;
    webhook::Webhook* webhook;  ///< may be null
    journal::Journal* journal;  ///< may be null
    const Snapshots& snapshots;
    const Measures& measures;
    const ScalingKeeper& scaling;
    MetricStreams& metric_streams;
    ModelKeeper* models;     ///< null: their files cannot be opened
    uplink::Uplink* uplink;  ///< null: the engine is here alone
    SalienceKeeper& salience;
    Log& log;
  };
  /// `settings` is what the shards have at present, its limits are those in force of `limits`.
  ServerBackend(const Parts& parts,
                const Configuration& configuration,
                KeptLimits limits,
                std::shared_ptr<const engine::Settings> settings);

  [[nodiscard]] EventTime now() const override;
  void status(Done<api::Status> done) override;
  void readiness(Done<std::vector<api::Check>> done) override;
  void metrics(Done<prometheus::Snapshot> done) override;
  /// The same without what is told of streams of metrics: what they are told themselves.
  void totals(Done<prometheus::Snapshot> done);
  void submit(std::vector<traffic::StoredEvent> events, Done<void> done) override;
  void rows(api::RowQuery query, Done<std::vector<traffic::FeatureRow>> done) override;
  void take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) override;
  void cleanup(Duration age_max, Done<api::CleanupReport> done) override;
  void alerts(api::AlertQuery query, Done<std::vector<traffic::Alert>> done) override;
  void alert(api::AlertId id, Done<traffic::Alert> done) override;
  void take_alerts(std::vector<traffic::JudgedAlert> alerts, Done<void> done) override;
  void words_for(std::string gateway,
                 std::size_t limit,
                 Done<std::vector<traffic::JudgedAlert>> done) override {
    done(gateway_alerts_.said_here(gateway, limit));
  }
  /// A word that was said at the cluster of an alert of this server; without effect when the alert
  /// is another, or was judged so already.
  void hear_from_cluster(traffic::JudgedAlert word);
  [[nodiscard]] std::vector<std::string> gateways_of(
      std::span<const std::uint64_t> members) const override {
    return gateway_alerts_.gateways_of(members);
  }
  void explain(api::AlertId id, Done<api::Explanation> done) override;
  void feedback(api::AlertId id,
                traffic::FeedbackVerdict verdict,
                std::string note,
                Done<traffic::Alert> done) override;
  void analyze(std::string user, Done<std::vector<traffic::Alert>> done) override;
  void crowd(Done<features::CrowdSummary> done) override;
  void users(api::UserQuery query, Done<std::vector<api::UserSummary>> done) override;
  void user(std::string user, Done<api::UserView> done) override;
  void limits(Done<api::HeldLimits> done) override;
  void set_limits(limits::Options options, Done<void> done) override;
  /// As those without an actor; the audit log says whose word it was.
  void set_limits_by(std::string actor, limits::Options options, Done<void> done);
  void set_override_by(std::string actor, traffic::Override decision, Done<bool> done);
  void remove_override_by(std::string actor, std::string user, Done<void> done);
  void reset_limits(Done<void> done) override;
  void overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) override;
  void override_of(std::string user, Done<traffic::Override> done) override;
  void set_override(traffic::Override decision, Done<bool> done) override;
  void remove_override(std::string user, Done<void> done) override;
  void audit_log(api::AuditQuery query, Done<std::vector<traffic::AuditEntry>> done) override;
  void remember(api::RememberedAnswer answer, Done<void> done) override;
  void recall(std::string key, Done<std::optional<api::RememberedAnswer>> done) override;

  /// Once a second: what rates and minutes are told from, and whether the shards still live.
  void observe_second();

  /// What the shards have from now on, as a reload of the configuration gives it; policies that
  /// were set over the API stay (kept_limits.hpp).
  void reload(const engine::Options& options);

 private:
  /// Reads the store on the thread for it.
  template <class T>
  void read(Done<T> done, std::function<Result<T>()> what);
  /// Adds up over all shards: `part` is called once a shard, one at a time; with `_owned` it may
  /// decide about them too.
  template <class T>
  void gather(std::function<void(const engine::Shard&, T&)> part, Done<T> done);
  template <class T>
  void gather_owned(std::function<void(shards::OwnedShard&, T&)> part, Done<T> done);
  [[nodiscard]] traffic::AuditEntry audit(std::string action,
                                          std::string subject,
                                          std::string detail,
                                          std::string actor = "api") const;
  [[nodiscard]] SteadyTime time() const { return parts_.runtime.clock().now(); }
  [[nodiscard]] std::shared_ptr<const engine::Settings> settings() const;
  /// Gives the shards other settings, with the limits in force. With `mutex_` held.
  void use(engine::Options options);
  void feedback_by(std::string actor,
                   api::AlertId id,
                   traffic::FeedbackVerdict verdict,
                   std::string note,
                   SteadyTime when,
                   Done<traffic::Alert> done);
  /// An operator's word about an alert of which `before` had been said counts from now on.
  void hear(const traffic::Alert& about,
            traffic::FeedbackVerdict verdict,
            traffic::FeedbackVerdict before);
  /// Takes up the gateways' alerts that the store has.
  void adopt_gateway_alerts();
  /// What the store has from now on of limits that were set over the API.
  void keep_limits(std::optional<std::string> text);
  void add_store_metrics(prometheus::Snapshot& out) const;
  void add_gateway_metrics(prometheus::Snapshot& out) const;

  const Parts parts_;
  const std::string directory_;
  const std::string cluster_;  ///< its URL
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  /// By the machine's date, since the epoch.
  const Duration started_at_ = std::chrono::system_clock::now().time_since_epoch();
  mutable std::mutex mutex_;
  KeptLimits limits_;
  std::shared_ptr<const engine::Settings> settings_;
  api::RecentRate event_rate_;
  signals::GatewayAlerts gateway_alerts_;
  std::uint64_t seconds_lived_ = 0;
  std::chrono::steady_clock::time_point lived_at_ = started_;
  BlockingThread blocking_;
};

/// What is answered when a queue has no room.
template <class T>
void unavailable(const api::Backend::Done<T>& done) {
  done(failure(ErrorCode::kUnavailable));
}

template <class T>
void ServerBackend::read(Done<T> done, std::function<Result<T>()> what) {
  auto shared = std::make_shared<Done<T>>(std::move(done));
  if (!blocking_.run([shared, what = std::move(what)] { (*shared)(what()); })) unavailable(*shared);
}

template <class T>
void ServerBackend::gather(std::function<void(const engine::Shard&, T&)> part, Done<T> done) {
  gather_owned<T>(
      [part = std::move(part)](shards::OwnedShard& shard, T& sum) { part(*shard, sum); },
      std::move(done));
}

template <class T>
void ServerBackend::gather_owned(std::function<void(shards::OwnedShard&, T&)> part, Done<T> done) {
  struct Sum {
    std::mutex mutex;
    T value{};
    Done<T> done;
  };
  auto sum = std::make_shared<Sum>();
  sum->done = std::move(done);
  const bool asked = parts_.runtime.ask_all(
      [sum, part = std::move(part)](shards::OwnedShard& shard) {
        const std::lock_guard lock(sum->mutex);
        part(shard, sum->value);
      },
      [sum] { sum->done(std::move(sum->value)); });
  if (!asked) unavailable(sum->done);
}

/// The name under which limits that were set over the API are kept in the store.
inline constexpr std::string_view kLimitsPolicy = "limits";

}  // namespace liminal::app
