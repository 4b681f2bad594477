#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "io/prometheus/snapshot.hpp"
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
  void services(Done<std::vector<scaling::ServiceState>> done) override {
    done(scaling_.services());
  }
  void state(std::string service, Done<scaling::ServiceState> done) override {
    done(scaling_.state(service));
  }
  void backtest(std::string service, Done<scaling::Backtest> done) override {
    scaling_.backtest(std::move(service), std::move(done));
  }
  void set_options(std::string service, scaling::ServiceOptions options, Done<bool> done) override;
  void forget(std::string service, Done<void> done) override;

 private:
  signals::Scaling& scaling_;
};

/// Tells the keeper how this program itself is used, as the service "liminal": messages a second,
/// CPU as a part of the machine's, memory as a part of the machine's. One thread.
class OwnUsage {
 public:
  static constexpr const char* kService = "liminal";
  explicit OwnUsage(signals::Scaling& scaling) : scaling_(scaling) {}

  /// Once a second, with the number of messages so far; tells every ten seconds.
  void second(EventTime now, std::uint64_t messages);

 private:
  struct Moment {
    std::chrono::steady_clock::time_point at;
    std::uint64_t messages = 0;
    double cpu_s = 0;
  };
  signals::Scaling& scaling_;
  std::optional<Moment> last_;
};

/// What KEDA is told: the advice for a service at the present moment of `clock`.
[[nodiscard]] grpc::Advised advised_by(const signals::Scaling& scaling,
                                       const shards::EngineClock& clock);

void add_grpc_metrics(const grpc::Server& server, prometheus::Snapshot& out);
void add_actor_metrics(const actor::Actor& actor, prometheus::Snapshot& out);
void add_scaling_metrics(const signals::Scaling& scaling, EventTime now, prometheus::Snapshot& out);

}  // namespace liminal::app
