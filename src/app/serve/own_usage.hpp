#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "io/prometheus/histogram.hpp"
#include "server/gateway/counters.hpp"
#include "server/gateway/upstreams.hpp"
#include "server/signals/scaling.hpp"

namespace liminal::app {

/// What the gateway did since the start.
struct GatewayUsage {
  gateway::Totals totals{};
  prometheus::Histogram message_seconds{};
  std::shared_ptr<const gateway::Upstreams> upstreams;  ///< may be null
};

/// Tells the keeper how this program itself is used, as the service `api::kOwnName`: messages a
/// second, the time that one takes, CPU as a part of the machine's, memory as a part of the
/// machine's. And how each of the first sixteen upstreams is, as one instance of a service of its
/// own: messages a second there and back, and the time until it answers an upgrade. One thread.
class OwnUsage {
 public:
  static constexpr std::size_t kUpstreamsMax = 16;
  using SteadyPoint = std::chrono::steady_clock::time_point;

  explicit OwnUsage(signals::Scaling& scaling) : scaling_(scaling) {}

  /// Once a second, `at` by a clock that is never set; tells every ten seconds what `usage` says.
  void second(EventTime now, SteadyPoint at, const std::function<GatewayUsage()>& usage);

 private:
  /// Of the program, or of one upstream.
  struct Moment {
    double messages = 0;
    prometheus::Histogram times{};
    double cpu_s = 0;
  };
  using Moments = std::map<std::string, Moment>;  ///< by service

  void keep(const Moments& present);
  void tell(EventTime now, const Moments& before, const Moments& present, double passed_s);

  signals::Scaling& scaling_;
  std::optional<SteadyPoint> told_at_;
  Moments told_;
  std::optional<double> memory_ratio_;
};

}  // namespace liminal::app
