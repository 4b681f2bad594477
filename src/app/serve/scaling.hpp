#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/configuration/configuration.hpp"
#include "app/log.hpp"
#include "app/serve/own_usage.hpp"
#include "io/files/file_system.hpp"
#include "io/prometheus/snapshot.hpp"
#include "io/sqlite/store.hpp"
#include "server/actor/actor.hpp"
#include "server/api/scaling_port.hpp"
#include "server/grpc/server.hpp"
#include "server/shards/clock.hpp"
#include "server/signals/scaling.hpp"

namespace liminal::app {

/// What the API asks of the keeper of services. Thread-safe, as that is.
class ScalingAdapter final : public api::ScalingPort {
 public:
  explicit ScalingAdapter(signals::Scaling& scaling) : scaling_(scaling) {}

  bool run(std::function<void()> work) override { return scaling_.run(std::move(work)); }
  void advise(scaling::Report report, Done<scaling::Advice> done) override {
    scaling_.advise(std::move(report), std::move(done));
  }
  void services(EventTime now,
                std::size_t count_max,
                Done<std::vector<scaling::ServiceSummary>> done) override {
    scaling_.services(now, count_max, std::move(done));
  }
  void advice(std::string service, EventTime now, Done<scaling::Advice> done) override {
    done(scaling_.advice(service, now));
  }
  void state(std::string service, Done<scaling::ServiceState> done) override {
    scaling_.state(service, std::move(done));
  }
  void backtest(std::string service, Done<scaling::Backtest> done) override {
    scaling_.backtest(std::move(service), std::move(done));
  }
  void change_options(std::string service,
                      scaling::ChangeOptions change,
                      Done<scaling::OptionsChanged> done) override;
  void forget(std::string service, Done<void> done) override;

 private:
  signals::Scaling& scaling_;
};

/// What a running server does about scaling: keeps services and its own use, answers KEDA, and
/// tells others what is advised.
class ScalingKeeper {
 public:
  struct Parts {
    files::FileSystem& files;
    const shards::EngineClock& clock;
    sqlite::Store& store;  ///< of the audit log
    Log& log;
  };
  /// Loads services and listens for KEDA; tells nobody before `start`. What cannot be had is an
  /// error in words.
  [[nodiscard]] static tl::expected<std::unique_ptr<ScalingKeeper>, std::string> open(
      const Configuration& configuration, const Parts& parts);

  [[nodiscard]] api::ScalingPort& port() { return adapter_; }
  /// Where KEDA asks; empty when nobody may.
  [[nodiscard]] const std::string& grpc_address() const { return grpc_address_; }

  /// Who hears of services' loads. Before the first report.
  void on_load(signals::Scaling::OnLoad heard) { scaling_.on_load(std::move(heard)); }

  /// Once, when the server is up: from then on others are told.
  void start();
  /// Nobody is told any more. Counters stay.
  void stop_telling();
  /// Ends what is under way and drops what waits, while those who asked are still there.
  void finish() { scaling_.finish(); }

  /// Once a second; asks what the gateway did when that is told.
  void second(EventTime now, const std::function<GatewayUsage()>& usage);

  /// Gives actors that are the same but for their mode that of `wanted`. One whose place or token
  /// is another too keeps its mode: it would act on the place of before.
  void take_modes(const Configuration& present, const Configuration& wanted);

  void add_metrics(EventTime now, prometheus::Snapshot& out) const;

 private:
  ScalingKeeper(const signals::ScalingOptions& options, const Parts& parts);
  [[nodiscard]] tl::expected<void, std::string> listen(const Configuration& configuration);
  [[nodiscard]] tl::expected<void, std::string> make_actor(const Configuration& configuration);
  void warn_of_clear_tokens(const actor::Options& options) const;

  const Parts parts_;
  signals::Scaling scaling_;
  ScalingAdapter adapter_{scaling_};
  OwnUsage own_usage_{scaling_};
  std::unique_ptr<grpc::Server> grpc_;   ///< null: nobody may ask
  std::unique_ptr<actor::Actor> actor_;  ///< null: nobody is told
  std::string grpc_address_;
};

}  // namespace liminal::app
